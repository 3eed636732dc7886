// What this worker counts of itself, for whoever runs it.
import { Counter, Gauge, Registry } from "prom-client";
import { countJobs } from "../clients/hub/job-metrics.ts";
import type { ProgressChannel } from "../clients/hub/progress-channel.ts";

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
    watching(progress: ProgressChannel): ProgressChannel {
      const last = new Map<string, { attempt: number; read: number; stored: number }>();
      return {
        publish(jobId, told) {
          const known = last.get(jobId);
          const before = known?.attempt === told.leaseEpoch ? known : { read: 0, stored: 0 };
          read.inc(Math.max(0, told.bytesDone - before.read));
          stored.inc(Math.max(0, told.storedBytes - before.stored));
          last.delete(jobId);
          last.set(jobId, { attempt: told.leaseEpoch, read: told.bytesDone, stored: told.storedBytes });
          const oldest = last.size > 1000 ? last.keys().next().value : undefined;
          if (oldest !== undefined) last.delete(oldest);
          progress.publish(jobId, told);
        },
        [Symbol.asyncDispose]: () => progress[Symbol.asyncDispose](),
      };
    },
  };
}
