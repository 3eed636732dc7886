// What this worker counts of itself, for whoever runs it.
import { Counter, Gauge, Registry } from "prom-client";
import type { HubClient } from "../clients/hub/hub-client.ts";
import { countJobs } from "../clients/hub/job-metrics.ts";
import type { ProgressChannel } from "../clients/hub/progress-channel.ts";

/** More jobs than are ever under way: of older ones the counts so far are forgotten. */
const mostJobs = 1000;

/** A registry of its own, and what feeds it. */
export function createWorkerMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const read = new Counter({
    ...{ name: "xvault_worker_source_bytes_total", help: "Bytes of contents read from sources.", registers },
  });
  const stored = new Counter({
    ...{ name: "xvault_worker_stored_bytes_total", help: "Bytes of sealed artifacts written.", registers },
  });
  const free = new Gauge({
    ...{ name: "xvault_worker_free_bytes", help: "Free where the backups lie, as of the last look.", registers },
  });
  const tries = new Counter({
    ...{
      name: "xvault_worker_storage_retries_total",
      help: "Calls of the storage that had to be tried again.",
      registers,
    },
    labelNames: ["operation"],
  });
  const last = new Map<string, { attempt: number; read: number; stored: number }>();
  const count = (jobId: string, attempt: number, sourceBytes: number, storedBytes: number): void => {
    const known = last.get(jobId);
    const before = known?.attempt === attempt ? known : { read: 0, stored: 0 };
    read.inc(Math.max(0, sourceBytes - before.read));
    stored.inc(Math.max(0, storedBytes - before.stored));
    last.delete(jobId);
    last.set(jobId, { attempt, read: sourceBytes, stored: storedBytes });
    const oldest = last.size > mostJobs ? last.keys().next().value : undefined;
    if (oldest !== undefined) last.delete(oldest);
  };
  return {
    registry,
    ...countJobs(registry, "worker"),
    storageTriedAgain: (operation: string) => tries.inc({ operation }),
    /** Null: the storage does not know. */
    tellFreeBytes(bytes: number | null): void {
      if (bytes !== null) free.set(bytes);
    },
    /** Seconds since the hub last answered a heartbeat. */
    tellHeartbeat(unheardSeconds: () => number): void {
      new Gauge({
        ...{ name: "xvault_worker_heartbeat_age_seconds", help: "Since the hub last answered a heartbeat.", registers },
        collect() {
          this.set(unheardSeconds());
        },
      });
    },
    /** The same channel, and what goes over it is counted: progress tells totals of a job's attempt. */
    watching: (progress: ProgressChannel): ProgressChannel => ({
      publish(jobId, told) {
        const { leaseEpoch, bytesDone, storedBytes: written } = told;
        count(jobId, leaseEpoch, bytesDone, written);
        progress.publish(jobId, told);
      },
      [Symbol.asyncDispose]: () => progress[Symbol.asyncDispose](),
    }),
    /** The same client; what a completed backup came to is counted, for progress does not tell of the last bytes. */
    reporting: (hub: HubClient): HubClient => ({
      ...hub,
      completeJob(input, options) {
        const { jobId, leaseEpoch, snapshot } = input;
        if (snapshot) count(jobId, leaseEpoch, Number(snapshot.plainBytes), Number(snapshot.storedBytes));
        return hub.completeJob(input, options);
      },
    }),
  };
}
