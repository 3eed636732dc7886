// What every process of the data plane counts of the jobs that it carries. Labels are words of closed lists.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { JobObserver } from "./carry-job.ts";

/** Seconds. */
const durations = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];

/** `process`: what the names begin with. */
export function countJobs(registry: Registry, process: "worker" | "restore"): JobObserver {
  const registers = [registry];
  const name = (rest: string) => `xvault_${process}_${rest}`;
  const running = new Gauge({
    ...{ name: name("jobs_running"), help: "Jobs under way here.", registers },
    labelNames: ["type"],
  });
  const ended = new Counter({
    ...{
      name: name("jobs_total"),
      help: "Jobs that this process is done with; outcome is COMPLETED or why not.",
      registers,
    },
    labelNames: ["type", "outcome"],
  });
  const lost = new Counter({
    ...{ name: name("leases_lost_total"), help: "Jobs given up because their lease was lost.", registers },
  });
  const seconds = new Histogram({
    ...{ name: name("job_seconds"), help: "How long jobs were carried.", registers, buckets: durations },
    labelNames: ["type"],
  });
  return {
    begun: (type) => running.inc({ type }),
    ended(type, outcome, took) {
      running.dec({ type });
      ended.inc({ type, outcome });
      seconds.observe({ type }, took);
      if (outcome === "LEASE_LOST") lost.inc();
    },
  };
}
