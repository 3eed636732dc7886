// Brings together what the hub counts, what it knows at any time and what its database knows, and shows it to Prometheus.
import type { Logger } from "pino";
import { listenForScrapes } from "../../clients/hub/metrics-listener.ts";
import type { Fact } from "../../domain/events.ts";
import type { Hub } from "../../domain/hub.ts";
import type { HubConfig } from "../config.ts";
import type { LiveFeeds } from "../live/live-feeds.ts";
import { tellDatabaseFigures } from "./database-figures.ts";
import type { HubMetrics } from "./hub-metrics.ts";

export interface ShowMetricsTerms {
  readonly hub: Hub;
  readonly live: LiveFeeds;
  readonly metrics: HubMetrics;
  readonly config: Pick<HubConfig, "metrics">;
  readonly log: Logger;
}

/** Listens where the settings say so. */
export async function showMetrics(
  terms: ShowMetricsTerms,
): Promise<{ readonly port: number | null } & AsyncDisposable> {
  const { hub, live, metrics, config, log } = terms;
  if (!config.metrics) return { port: null, [Symbol.asyncDispose]: async () => {} };
  const { registry } = metrics;
  metrics.gauge("xvault_subscriptions", "Subscriptions to jobs, tenants and workers.", () => {
    return live.stats().watchers + live.job.stats().watchers;
  });
  metrics.gauge(
    "xvault_live_messages_dropped",
    "Messages between hubs and workers that were junk, since the start.",
    () => {
      return live.stats().dropped + live.job.stats().dropped;
    },
  );
  metrics.gauge("xvault_redis_up", "1 while Redis can be used.", () => (live.stats().redisReady ? 1 : 0));
  const refresh = tellDatabaseFigures({ db: hub.platform, registry, kekId: hub.vault.kekId });
  return listenForScrapes({ ...config.metrics, registry, refresh, log });
}

/** A line for every job that came to its end or is tried again: with the worker's own lines it is one story. */
export function tellFact(log: Logger, fact: Fact): void {
  if (fact.kind === "stored") return;
  const { jobId, type } = fact;
  if (fact.kind === "claimed") log.debug({ jobId, type }, "job claimed");
  else {
    const { status, code } = fact;
    const facts = { jobId, type, status, ...(code !== null && { code }) };
    log.info(facts, fact.kind === "ended" ? "job ended" : "job queued again");
  }
}

/** Counts the rounds of the upkeep, and remembers the duties that fail. */
export function watchRounds(metrics: HubMetrics) {
  const failing = new Map<string, Date>();
  return {
    /** Since when each of them does. */
    failing: failing as ReadonlyMap<string, Date>,
    onRound(duty: string, seconds: number, isDone: boolean): void {
      metrics.upkept(duty, seconds, isDone);
      if (isDone) failing.delete(duty);
      else if (!failing.has(duty)) failing.set(duty, new Date());
    },
  };
}
