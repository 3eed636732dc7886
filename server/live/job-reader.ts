// Reads watched jobs and their logs from Postgres: the truth behind every update of the live feed.
import type { Job, JobEvent } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";

/** A job as it stood after the last of these events. */
export interface JobReading {
  readonly job: Job;
  /** Those after the cursor, in order; null where there are too many to be handed out here. */
  readonly events: readonly JobEvent[] | null;
}

/** Events that are kept or read at once, at most. */
export const eventPage = 256;

type FoundJob = Record<string, unknown> & { id: string; tenant_id: string; events: FoundEvent[] };
type FoundEvent = Pick<JobEvent, "seq" | "kind" | "facts"> & { at: string };

/**
 * Reads many jobs and what their logs gained, as of one moment, in one statement: who waits for an event waits for this. `cursors` maps
 * job ids to the last event already known, null for none. A job that is gone is missing from the answer.
 */
export async function readJobs(
  db: Database,
  cursors: ReadonlyMap<string, number | null>,
): Promise<Map<string, JobReading>> {
  const found = await db.$queryRaw<FoundJob[]>`
    SELECT j.*, COALESCE(gained.events, '[]') AS events
      FROM unnest(${[...cursors.keys()]}::text[], ${[...cursors.values()]}::int[]) AS watched (id, seq)
      JOIN jobs j ON j.id = watched.id
     CROSS JOIN LATERAL (
           SELECT jsonb_agg(jsonb_build_object('seq', e.seq, 'kind', e.kind, 'facts', e.facts, 'at', e.at) ORDER BY e.seq) AS events
             FROM (SELECT * FROM job_events e WHERE e.job_id = watched.id AND e.seq > watched.seq
                    ORDER BY e.seq LIMIT ${eventPage + 1}) e) gained`;
  return new Map(
    found.map(({ events, ...row }) => {
      const { id: jobId, tenant_id: tenantId } = row;
      const gained = cursors.get(jobId) === null || events.length > eventPage ? null : events;
      return [
        jobId,
        {
          job: asJob(row),
          events: gained?.map((event) => ({ ...event, jobId, tenantId, at: new Date(event.at) })) ?? null,
        },
      ];
    }),
  );
}

/** The row under the names that Prisma has for its columns: each is the column's own, with humps. */
function asJob(row: Record<string, unknown>): Job {
  const entries = Object.entries(row).map(([column, value]) => [
    column.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as Job;
}

/** Which of these jobs have gained events since the given one, or are gone. */
export async function findMoved(db: Database, cursors: ReadonlyMap<string, number>): Promise<string[]> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT watched.id
      FROM unnest(${[...cursors.keys()]}::text[], ${[...cursors.values()]}::int[]) AS watched (id, seq)
      LEFT JOIN jobs j ON j.id = watched.id
     WHERE j.event_seq IS DISTINCT FROM watched.seq`;
  return rows.map(({ id }) => id);
}

/** One page of a job's log: events after `after`, up to and with `upTo`. */
export async function readEvents(db: Database, jobId: string, after: number, upTo: number): Promise<JobEvent[]> {
  return db.jobEvent.findMany({
    where: { jobId, seq: { gt: after, lte: upTo } },
    orderBy: { seq: "asc" },
    take: eventPage,
  });
}
