// What the metrics ask the database: each question bounded in rows and in time, none of a tenant's words in any answer.
import type { Prisma } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";

/** Queued jobs beyond these are not looked at. */
export const mostQueued = 100_000;
/** Sources that are told of one by one: those whose last good snapshot is the oldest. */
export const mostSources = 1_000;

const statementTimeoutMs = 3_000;

export interface QueueFigures {
  readonly types: readonly { type: string; due: number; delayed: number; waitingSeconds: number; running: number }[];
  readonly overdueSeconds: number;
  readonly bells: number;
  readonly workers: readonly { role: string; status: string; count: number }[];
}

/** From indexes of what is queued, running and unrung: of what is there to be done, not of all that ever was. */
export function readQueue(db: Database): Promise<QueueFigures> {
  return within(db, async (tx) => {
    const types = await tx.$queryRaw<QueueFigures["types"][number][]>`
      WITH queued AS (
        SELECT type, greatest(created_at, not_before) AS due_at FROM jobs WHERE status = 'QUEUED' LIMIT ${mostQueued})
      SELECT type::text, (count(*) FILTER (WHERE due_at <= now()))::int AS due,
             (count(*) FILTER (WHERE due_at > now()))::int AS delayed,
             greatest(0, COALESCE(extract(epoch FROM now() - min(due_at)), 0))::float8 AS "waitingSeconds",
             sum(running)::int AS running
        FROM (SELECT type, due_at, 0 AS running FROM queued
              UNION ALL SELECT type, NULL, 1 FROM jobs WHERE status IN ('RUNNING', 'FINALIZING')) jobs
       GROUP BY type`;
    const [facts] = await tx.$queryRaw<{ overdueSeconds: number; bells: number }[]>`
      SELECT (SELECT greatest(0, COALESCE(extract(epoch FROM now() - min(lease_expires_at)), 0))::float8 FROM jobs
               WHERE status IN ('RUNNING', 'FINALIZING')) AS "overdueSeconds",
             (SELECT count(*)::int FROM (SELECT FROM outbox WHERE rung_at IS NULL LIMIT ${mostQueued}) unrung) AS bells`;
    const workers = await tx.$queryRaw<{ role: string; status: string; count: number }[]>`
      SELECT role::text, status::text, count(*)::int AS count FROM workers WHERE retired_at IS NULL GROUP BY 1, 2`;
    return { types, overdueSeconds: facts?.overdueSeconds ?? 0, bells: facts?.bells ?? 0, workers };
  });
}

export interface TableFigures {
  readonly snapshots: readonly { status: string; count: number }[];
  /** Active ones. */
  readonly sources: number;
  readonly bare: number;
  /** Of `mostSources` at most, the oldest first. */
  readonly ages: readonly { source: string; ageSeconds: number }[];
  /** Secrets that are not sealed with the KEK in use. */
  readonly previous: number;
}

/** Reads along whole tables: not to be asked often. */
export function readTables(db: Database, kekId: string): Promise<TableFigures> {
  return within(db, async (tx) => {
    const snapshots = await tx.$queryRaw<{ status: string; count: number }[]>`
      SELECT status::text, count(*)::int AS count FROM snapshots GROUP BY 1`;
    // Ids grow with time: the newest of a source is the last in its index.
    const ages = await tx.$queryRaw<{ source: string; ageSeconds: number | null; sources: number; bare: number }[]>`
      WITH last AS MATERIALIZED (
        SELECT s.id AS source, good.created_at FROM sources s LEFT JOIN LATERAL (
          SELECT created_at FROM snapshots n WHERE n.tenant_id = s.tenant_id AND n.source_id = s.id AND n.status = 'COMPLETED'
           ORDER BY n.id DESC LIMIT 1) good ON true
         WHERE s.status = 'ACTIVE' AND s.deleted_at IS NULL)
      SELECT told.source, extract(epoch FROM now() - told.created_at)::float8 AS "ageSeconds", totals.sources, totals.bare
        FROM (SELECT count(*)::int AS sources, (count(*) FILTER (WHERE created_at IS NULL))::int AS bare FROM last) totals
        LEFT JOIN (SELECT * FROM last WHERE created_at IS NOT NULL ORDER BY created_at LIMIT ${mostSources}) told ON true`;
    const [secrets] = await tx.$queryRaw<{ previous: number }[]>`
      SELECT ((SELECT count(*) FROM credentials WHERE kek_id <> ${kekId})
            + (SELECT count(*) FROM tenant_keys WHERE kek_id <> ${kekId} AND sealed_private_key IS NOT NULL))::int AS previous`;
    return {
      snapshots,
      sources: ages[0]?.sources ?? 0,
      bare: ages[0]?.bare ?? 0,
      ages: ages.flatMap(({ source, ageSeconds }) => (ageSeconds === null ? [] : [{ source, ageSeconds }])),
      previous: secrets?.previous ?? 0,
    };
  });
}

function within<T>(db: Database, ask: (tx: Prisma.TransactionClient) => Promise<T>): Promise<T> {
  return db.$transaction(
    async (tx) => {
      await tx.$executeRaw`SELECT set_config('statement_timeout', ${String(statementTimeoutMs)}, true)`;
      return ask(tx);
    },
    { maxWait: 2_000, timeout: 3 * statementTimeoutMs },
  );
}
