// What can be watched as a whole, jobs, snapshots and workers, and how each is read from Postgres: many watchers at once.
import type { Job, Snapshot, Worker } from "../../prisma/client/client.ts";
import { Prisma } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";
import type { Cursor } from "./cursor.ts";
import type { Change, Page, Walk } from "./walk.ts";

/** A tenant's id; of workers, which belong to no tenant, the empty text. */
export type Scope = string;

export interface PresentRequest {
  readonly scope: Scope;
  /** The sources whose rows are wanted; null: all. */
  readonly sourceIds: readonly string[] | null;
  /** The last row of the page before; empty at the beginning. */
  readonly past: string;
}

export interface WatchedNoun<Row> {
  readonly name: "jobs" | "snapshots" | "workers";
  /** A page of what changed, for each of these ways; a way that has no beginning yet gets one. */
  readChanges(db: Database, walks: readonly (Pick<Walk, "since" | "past"> & { scope: Scope })[]): Promise<Page[]>;
  /** A page of the rows that are there to begin with, in the order of their ids. */
  readPresent(db: Database, requests: readonly PresentRequest[]): Promise<Page[]>;
  readRows(db: Database, ids: readonly string[]): Promise<Row[]>;
}

/** Rows that are read at once, at most. */
const pageRows = 500;

export const watchedJobs: WatchedNoun<Job> = {
  ...readings("jobs", {
    // A restore or a deletion is about the source that its snapshot is of.
    from: Prisma.sql`jobs t LEFT JOIN snapshots about ON about.id = t.target_snapshot_id`,
    sourceId: Prisma.sql`COALESCE(t.source_id, about.source_id)`,
    inScope: Prisma.sql`t.tenant_id = asked.scope`,
    present: Prisma.sql`t.status IN ('QUEUED', 'RUNNING', 'FINALIZING')`,
  }),
  readRows: (db, ids) => db.job.findMany({ where: { id: { in: [...ids] } } }),
};

/** Snapshots are many, and stay: the newest are enough to begin with. */
const presentSnapshots = 20;

export const watchedSnapshots: WatchedNoun<Snapshot> = {
  ...readings("snapshots", {
    from: Prisma.sql`snapshots t`,
    sourceId: Prisma.sql`t.source_id`,
    inScope: Prisma.sql`t.tenant_id = asked.scope`,
    present: Prisma.sql`t.status <> 'DELETED'`,
    newest: presentSnapshots,
  }),
  readRows: (db, ids) => db.snapshot.findMany({ where: { id: { in: [...ids] } } }),
};

export const watchedWorkers: WatchedNoun<Worker> = {
  ...readings("workers", {
    from: Prisma.sql`workers t`,
    sourceId: Prisma.sql`NULL::text`,
    inScope: Prisma.sql`true`,
    present: Prisma.sql`t.retired_at IS NULL`,
  }),
  readRows: (db, ids) => db.worker.findMany({ where: { id: { in: [...ids] } } }),
};

interface Shape {
  readonly from: Prisma.Sql;
  readonly sourceId: Prisma.Sql;
  readonly inScope: Prisma.Sql;
  readonly present: Prisma.Sql;
  /** Only so many of them are there to begin with. */
  readonly newest?: number;
}

type Found = { n: bigint; snapshot: Cursor } & (Change | { [key in keyof Change]: null });

function readings<Name extends WatchedNoun<unknown>["name"]>(
  name: Name,
  { from, sourceId, inScope, present, newest }: Shape,
): Pick<WatchedNoun<unknown>, "readChanges" | "readPresent"> & { name: Name } {
  const change = Prisma.sql`t.id, ${sourceId} AS "sourceId", t.changed_in::text AS "changedIn"`;
  const page = newest
    ? Prisma.sql`AND asked.past = '' ORDER BY t.id DESC LIMIT ${newest}`
    : Prisma.sql`AND t.id > asked.past ORDER BY t.id LIMIT ${pageRows + 1}`;
  return {
    name,
    async readChanges(db, walks) {
      const found = await db.$queryRaw<Found[]>`
        SELECT asked.n, pg_current_snapshot()::text AS snapshot, page.*
          FROM unnest(${walks.map(({ scope }) => scope)}::text[], ${walks.map(({ since }) => since)}::text[],
                 ${walks.map(({ past }) => past?.changedIn ?? "0")}::text[], ${walks.map(({ past }) => past?.id ?? "")}::text[])
               WITH ORDINALITY AS asked (scope, since, past_in, past_id, n)
          LEFT JOIN LATERAL (
               SELECT ${change} FROM ${from}
                WHERE ${inScope} AND t.changed_in >= pg_snapshot_xmin(asked.since::pg_snapshot)::text::bigint
                  AND NOT pg_visible_in_snapshot(t.changed_in::text::xid8, asked.since::pg_snapshot)
                  AND (t.changed_in, t.id) > (asked.past_in::bigint, asked.past_id)
                ORDER BY t.changed_in, t.id LIMIT ${pageRows + 1}) page ON true`;
      return pages(found, walks.length);
    },
    async readPresent(db, requests) {
      const found = await db.$queryRaw<Found[]>`
        SELECT asked.n, pg_current_snapshot()::text AS snapshot, page.*
          FROM unnest(${requests.map(({ scope }) => scope)}::text[],
                 ${requests.map(({ sourceIds }) => sourceIds?.join(",") ?? null)}::text[], ${requests.map(({ past }) => past)}::text[])
               WITH ORDINALITY AS asked (scope, source_ids, past, n)
          LEFT JOIN LATERAL (
               SELECT ${change} FROM ${from}
                WHERE ${inScope} AND ${present}
                  AND (asked.source_ids IS NULL OR ${sourceId} = ANY (string_to_array(asked.source_ids, ',')))
                  ${page}) page ON true`;
      const read = pages(found, requests.length);
      return newest ? read.map((each) => ({ ...each, changes: each.changes.toReversed() })) : read;
    },
  };
}

/** The rows found, by who asked for them: each is answered, with the snapshot alone where there is nothing. */
function pages(found: readonly Found[], count: number): Page[] {
  const changes: Change[][] = Array.from({ length: count }, () => []);
  for (const { n, id, sourceId, changedIn } of found) {
    if (id !== null && changedIn !== null) changes[Number(n) - 1]?.push({ id, sourceId, changedIn });
  }
  const [first] = found;
  if (!first) throw new Error("postgres did not tell its snapshot");
  return changes.map((each) => ({
    changes: each.slice(0, pageRows),
    snapshot: first.snapshot,
    isFull: each.length > pageRows,
  }));
}
