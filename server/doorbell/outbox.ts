// The outbox: which doorbells are still to be rung, and which again. Any number of hubs work through it side by side.
import { faultPoint } from "#fault-point";
import type { Database } from "../../prisma/connect.ts";

export interface Bell {
  readonly id: bigint;
  readonly jobId: string;
  readonly leaseEpoch: number;
  /** Null: any worker. */
  readonly workerId: string | null;
}

export interface StaleBell extends Bell {
  /** Milliseconds since 1970, by the clock of Postgres. */
  readonly at: bigint;
}

const batchSize = 100;
/** Longer than all deadlines of a batch together. */
const transaction = { timeout: 20_000, maxWait: 2_000 };

/** Rings what was never rung and is due; `ring` says false where it cannot now. True where there may be more to ring at once. */
export async function ringNew(db: Database, ring: (bell: Bell) => Promise<boolean>): Promise<boolean> {
  return db.$transaction(async (tx) => {
    const bells = await tx.$queryRaw<(Bell & { waiting: boolean })[]>`
      SELECT o.id, o.job_id AS "jobId", o.lease_epoch AS "leaseEpoch", o.target_worker_id AS "workerId",
             coalesce(j.status = 'QUEUED', true) OR (j.cancel_requested_at IS NOT NULL AND j.lease_epoch = o.lease_epoch) AS waiting
        FROM outbox o LEFT JOIN jobs j ON j.id = o.job_id
       WHERE o.rung_at IS NULL AND coalesce(j.not_before <= now(), true)
       ORDER BY o.id LIMIT ${batchSize} FOR UPDATE OF o SKIP LOCKED`;
    // A job that somebody found by polling while Redis was away needs no bell any more, unless it is to stop.
    faultPoint("relay.bells-locked");
    const rung = await ringAll(bells, async (bell) => !bell.waiting || ring(bell));
    faultPoint("relay.bells-rung");
    await tx.$executeRaw`UPDATE outbox SET rung_at = now() WHERE id = ANY(${rung}::bigint[])`;
    return rung.length === batchSize;
  }, transaction);
}

/**
 * Rings again for jobs that are due, and still queued half a minute after their last bell: Redis may have been emptied, or the
 * listener lost. A bell of an earlier lease is not of this queueing. Some of them at a time.
 */
export async function ringAgain(db: Database, ring: (bell: StaleBell) => Promise<boolean>): Promise<void> {
  await db.$transaction(async (tx) => {
    const bells = await tx.$queryRaw<StaleBell[]>`
      SELECT o.id, o.job_id AS "jobId", o.lease_epoch AS "leaseEpoch", o.target_worker_id AS "workerId",
             floor(extract(epoch FROM now()) * 1000)::bigint AS at
        FROM outbox o JOIN jobs j ON j.id = o.job_id AND o.lease_epoch >= j.lease_epoch
       WHERE j.status = 'QUEUED' AND j.not_before <= now() AND o.rung_at < now() - interval '30 seconds'
       ORDER BY o.rung_at LIMIT ${batchSize} FOR UPDATE OF o SKIP LOCKED`;
    const rung = await ringAll(bells, ring);
    await tx.$executeRaw`UPDATE outbox SET rung_at = now() WHERE id = ANY(${rung}::bigint[])`;
  }, transaction);
}

/** Removes bells that were rung, are older than a day and have no job waiting. */
export async function pruneOutbox(db: Database): Promise<void> {
  await db.$executeRaw`
    DELETE FROM outbox o
     WHERE o.rung_at IS NOT NULL AND o.created_at < now() - interval '1 day'
       AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = o.job_id AND j.status = 'QUEUED')`;
}

async function ringAll<B extends Bell>(bells: readonly B[], ring: (bell: B) => Promise<boolean>): Promise<string[]> {
  const outcomes = await Promise.all(bells.map(ring));
  return bells.filter((_, index) => outcomes[index]).map(({ id }) => String(id));
}
