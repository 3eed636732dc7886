// What this restore service counts of itself, for whoever runs it.
import { Counter, Gauge, Registry } from "prom-client";
import { countJobs } from "../clients/hub/job-metrics.ts";
import type { EndReason, PreparedDownloads } from "./prepared.ts";

export type RestoreMetrics = ReturnType<typeof createRestoreMetrics>;

/** A registry of its own, and what feeds it. */
export function createRestoreMetrics(downloads: PreparedDownloads) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    ...{ name: "xvault_restore_prepared_downloads", help: "Downloads that can be fetched.", registers },
    collect() {
      this.set(downloads.all().filter(({ record }) => !record.ended).length);
    },
  });
  const served = new Counter({
    ...{ name: "xvault_restore_served_bytes_total", help: "Bytes of downloads handed to the network.", registers },
  });
  const ends = new Counter({
    ...{
      name: "xvault_restore_links_ended_total",
      help: "Links that ended: fetched, expired or withdrawn.",
      registers,
    },
    labelNames: ["reason"],
  });
  const refusals = new Counter({
    ...{ name: "xvault_restore_downloads_refused_total", help: "Requests for downloads that were refused.", registers },
    labelNames: ["status"],
  });
  return {
    registry,
    ...countJobs(registry, "restore"),
    served: (bytes: number) => served.inc(bytes),
    linkEnded: (reason: EndReason) => ends.inc({ reason }),
    refused: (status: number) => refusals.inc({ status: String(status) }),
  };
}
