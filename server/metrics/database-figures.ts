// Figures that only the database knows, and that every hub tells alike. Asked for at a scrape, one question at a time, within a
// deadline, and kept for a while: however many ask, and however large the tables are, the database hears little of it.
import { setTimeout as pause } from "node:timers/promises";
import { Gauge, type Registry } from "prom-client";
import { JobType } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";
import { mostQueued, mostSources, readQueue, readTables } from "./database-questions.ts";

export interface DatabaseFiguresTerms {
  readonly db: Database;
  readonly registry: Registry;
  /** Of the KEK in use. */
  readonly kekId: string;
  /** For how long a figure of the queue is good [5,000]. */
  readonly queueMs?: number;
  /** For how long one that large tables are read for is good [60,000]. */
  readonly tablesMs?: number;
}

const deadlineMs = 6_000;

/** Adds its gauges to the registry. What it answers sets them, and never throws: figures that are not to be had are missing then. */
export function tellDatabaseFigures(terms: DatabaseFiguresTerms): () => Promise<void> {
  const { db, registry, kekId, queueMs = 5_000, tablesMs = 60_000 } = terms;
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `xvault_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const queued = gauge("jobs_queued", `Due jobs that wait for a worker; ${mostQueued} jobs are looked at.`, ["type"]);
  const delayed = gauge("jobs_delayed", "Queued jobs that are not due yet, such as deletions in their grace.", [
    "type",
  ]);
  const waiting = gauge("job_queue_age_seconds", "For how long the oldest due job has been waiting.", ["type"]);
  const running = gauge("jobs_running", "Jobs in a worker's hands.", ["type"]);
  const overdue = gauge("lease_overdue_seconds", "For how long the oldest lease that ran out was not taken back.");
  const bells = gauge("outbox_unrung", "Doorbells that wait to be rung, due or not.");
  const workers = gauge("workers", "Workers and restore services that are not retired.", ["role", "status"]);
  const snapshots = gauge("snapshots", "Snapshots.", ["status"]);
  const sources = gauge("sources", "Active sources.");
  const bare = gauge("sources_without_snapshot", "Active sources that have no good snapshot.");
  const untold = gauge("sources_untold", `Active sources beyond the ${mostSources} that are told of one by one.`);
  const age = gauge("source_last_snapshot_age_seconds", "Age of the last good snapshot of a source.", ["source"]);
  const previous = gauge("secrets_under_previous_kek", "Secrets that are not sealed with the KEK in use.");
  const up = gauge("postgres_up", "1 where the database told its figures at this scrape.");
  const readAge = gauge("database_figures_age_seconds", "How old the figures of snapshots, sources and secrets are.");
  const told = [
    queued,
    delayed,
    waiting,
    running,
    overdue,
    bells,
    workers,
    snapshots,
    sources,
    bare,
    untold,
    age,
    previous,
  ];

  const queue = kept(queueMs, () => readQueue(db));
  const tables = kept(tablesMs, () => readTables(db, kekId));

  async function tell(): Promise<void> {
    const [{ value: now }, slow] = [await queue(), await tables()];
    for (const each of told) each.reset();
    for (const type of Object.values(JobType)) {
      const of = now.types.find((row) => row.type === type);
      queued.set({ type }, of?.due ?? 0);
      delayed.set({ type }, of?.delayed ?? 0);
      waiting.set({ type }, of?.waitingSeconds ?? 0);
      running.set({ type }, of?.running ?? 0);
    }
    overdue.set(now.overdueSeconds);
    bells.set(now.bells);
    for (const { role, status, count } of now.workers) workers.set({ role, status }, count);
    const { value } = slow;
    for (const { status, count } of value.snapshots) snapshots.set({ status }, count);
    sources.set(value.sources);
    bare.set(value.bare);
    untold.set(value.sources - value.bare - value.ages.length);
    previous.set(value.previous);
    for (const { source, ageSeconds } of value.ages) age.set({ source }, ageSeconds + slow.ageSeconds);
    readAge.set(slow.ageSeconds);
    up.set(1);
  }

  return async () => {
    const late = new AbortController();
    try {
      const tooLate = pause(deadlineMs, undefined, { signal: late.signal }).then(() => {
        throw new Error("the database did not answer in time");
      });
      await Promise.race([tell(), tooLate]);
    } catch {
      for (const each of [...told, readAge]) {
        each.reset();
        // A gauge without labels would be nought.
        each.remove();
      }
      up.set(0);
    } finally {
      late.abort();
    }
  };
}

/** The answer that is at hand, as long as it is good; asked for anew by one caller for all. */
function kept<Value>(
  goodForMs: number,
  read: () => Promise<Value>,
): () => Promise<{ value: Value; ageSeconds: number }> {
  let last: { value: Value; atMs: number } | null = null;
  let reading: Promise<void> | null = null;
  return async () => {
    if (!last || performance.now() - last.atMs > goodForMs) {
      reading ??= read()
        .then((value) => {
          last = { value, atMs: performance.now() };
        })
        .finally(() => {
          reading = null;
        });
      await reading;
    }
    if (!last) throw new Error("the database told nothing");
    return { value: last.value, ageSeconds: (performance.now() - last.atMs) / 1000 };
  };
}
