// What this hub counts of itself. Labels are words of closed lists and ids, never a name, a host or a path.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Fact } from "../../domain/events.ts";

/** Seconds. */
const durations = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type Surface = "public" | "private";

export type HubMetrics = ReturnType<typeof createHubMetrics>;

/** A registry of its own: hubs in one process count apart. */
export function createHubMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const claims = new Counter({
    ...{ name: "xvault_job_claims_total", help: "Jobs given to a worker.", registers },
    labelNames: ["type"],
  });
  const ended = new Counter({
    ...{
      name: "xvault_jobs_ended_total",
      help: "Jobs that came to their end; code is none where they did well.",
      registers,
    },
    labelNames: ["type", "status", "code"],
  });
  const requeued = new Counter({
    ...{ name: "xvault_jobs_requeued_total", help: "Attempts after which a job was queued again, and why.", registers },
    labelNames: ["type", "code"],
  });
  const lost = new Counter({
    ...{ name: "xvault_leases_lost_total", help: "Leases that ran out because their worker fell silent.", registers },
    labelNames: ["type"],
  });
  const sourceBytes = new Counter({
    ...{ name: "xvault_snapshot_source_bytes_total", help: "Bytes of contents in completed snapshots.", registers },
  });
  const storedBytes = new Counter({
    ...{ name: "xvault_snapshot_stored_bytes_total", help: "Bytes that completed snapshots take up.", registers },
  });
  const operations = new Histogram({
    ...{
      name: "xvault_operation_seconds",
      help: "Queries and mutations; on the private surface by command.",
      registers,
    },
    ...{ labelNames: ["surface", "operation"], buckets: durations },
  });
  const refusals = new Counter({
    ...{ name: "xvault_operations_refused_total", help: "Errors that callers were answered with, by code.", registers },
    labelNames: ["surface", "code"],
  });
  const duties = new Histogram({
    ...{ name: "xvault_upkeep_seconds", help: "Rounds of each duty of the hub's upkeep.", registers },
    ...{ labelNames: ["duty"], buckets: durations },
  });
  const dutyFailures = new Counter({
    ...{ name: "xvault_upkeep_failures_total", help: "Rounds of a duty that failed.", registers },
    labelNames: ["duty"],
  });
  const rings = new Counter({
    ...{
      name: "xvault_doorbell_rings_total",
      help: "Bells that the relay rang; again: for jobs that nobody came for.",
      registers,
    },
    labelNames: ["kind"],
  });

  return {
    registry,
    /** To be told after each commit. */
    happened(fact: Fact): void {
      if (fact.kind === "stored") {
        sourceBytes.inc(fact.sourceBytes);
        storedBytes.inc(fact.storedBytes);
      } else if (fact.kind === "claimed") claims.inc({ type: fact.type });
      else {
        const { type, status } = fact;
        const code = fact.code ?? "none";
        if (code === "WORKER_LOST") lost.inc({ type });
        if (fact.kind === "ended") ended.inc({ type, status, code });
        else requeued.inc({ type, code });
      }
    },
    executed: (surface: Surface, operation: string, seconds: number) =>
      operations.observe({ surface, operation }, seconds),
    refused: (surface: Surface, code: string) => refusals.inc({ surface, code }),
    upkept(duty: string, seconds: number, isDone: boolean): void {
      duties.observe({ duty }, seconds);
      if (!isDone) dutyFailures.inc({ duty });
    },
    rang: (kind: "new" | "again") => rings.inc({ kind }),
    /** Of something that is known at any time. */
    gauge(name: string, help: string, read: () => number): void {
      new Gauge({
        ...{ name, help, registers },
        collect() {
          this.set(read());
        },
      });
    },
  };
}
