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

/**
 * Reads many jobs and what their logs gained, as of one moment. `cursors` maps job ids to the last event already known, null for
 * none. A job that is gone is missing from the answer.
 */
export async function readJobs(
  db: Database,
  cursors: ReadonlyMap<string, number | null>,
): Promise<Map<string, JobReading>> {
  const known = [...cursors].filter((entry): entry is [string, number] => entry[1] !== null);
  const [events, jobs] = await db.$transaction(
    [
      db.$queryRaw<JobEvent[]>`
        SELECT e.job_id AS "jobId", e.seq, e.tenant_id AS "tenantId", e.kind, e.facts, e.at
          FROM unnest(${known.map(([id]) => id)}::text[], ${known.map(([, seq]) => seq)}::int[]) AS watched (job_id, seq)
         CROSS JOIN LATERAL (
               SELECT * FROM job_events e WHERE e.job_id = watched.job_id AND e.seq > watched.seq
                ORDER BY e.seq LIMIT ${eventPage + 1}) e
         ORDER BY e.job_id, e.seq`,
      db.job.findMany({ where: { id: { in: [...cursors.keys()] } } }),
    ],
    { isolationLevel: "RepeatableRead" },
  );
  const eventsOf = Map.groupBy(events, (event) => event.jobId);
  return new Map(
    jobs.map((job) => {
      const gained = cursors.get(job.id) === null ? null : (eventsOf.get(job.id) ?? []);
      return [job.id, { job, events: gained && gained.length <= eventPage ? gained : null }];
    }),
  );
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
