// The outbox: which doorbells are still to be rung, and which again. Any number of hubs work through it side by side.
import { faultPoint } from "#fault-point";
import { Prisma } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";

export interface Bell {
  readonly id: bigint;
  readonly jobId: string;
  readonly leaseEpoch: number;
  /** Whose queues it is rung in; null: the one that all share. Empty: nobody who could hear it is online. */
  readonly workerIds: readonly (string | null)[];
}

export interface StaleBell extends Bell {
  /** Milliseconds since 1970, by the clock of Postgres. */
  readonly at: bigint;
}

/** As it lies in the outbox. */
interface LeftBell extends Omit<Bell, "workerIds"> {
  /** Null: any worker. */
  readonly targetWorkerId: string | null;
  /** For whoever reads the target's store, and not for the target. */
  readonly isForReaders: boolean;
}

const batchSize = 100;
/** Restores and checks of content are of a worker's store, and the work of restore services. Bells to stop go where they say. */
const isForReaders = Prisma.sql`coalesce(j.status = 'QUEUED' AND o.target_worker_id = j.target_worker_id
  AND (j.type = 'RESTORE' OR (j.type = 'VERIFY' AND j.verify_depth = 'CONTENT')), false)`;
/** Longer than all deadlines of a batch together. */
const transaction = { timeout: 20_000, maxWait: 2_000 };

/** Rings what was never rung and is due; `ring` says false where it cannot now. True where there may be more to ring at once. */
export async function ringNew(db: Database, ring: (bell: Bell) => Promise<boolean>): Promise<boolean> {
  return db.$transaction(async (tx) => {
    const bells = await tx.$queryRaw<(LeftBell & { waiting: boolean })[]>`
      SELECT o.id, o.job_id AS "jobId", o.lease_epoch AS "leaseEpoch", o.target_worker_id AS "targetWorkerId",
             ${isForReaders} AS "isForReaders",
             coalesce(j.status = 'QUEUED', true) OR (j.cancel_requested_at IS NOT NULL AND j.lease_epoch = o.lease_epoch) AS waiting
        FROM outbox o LEFT JOIN jobs j ON j.id = o.job_id
       WHERE o.rung_at IS NULL AND coalesce(j.not_before <= now(), true)
       ORDER BY o.id LIMIT ${batchSize} FOR UPDATE OF o SKIP LOCKED`;
    // A job that somebody found by polling while Redis was away needs no bell any more, unless it is to stop.
    faultPoint("relay.bells-locked");
    const rung = await ringAll(await addressed(tx, bells), async (bell) => !bell.waiting || ring(bell));
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
    const bells = await tx.$queryRaw<(LeftBell & Pick<StaleBell, "at">)[]>`
      SELECT o.id, o.job_id AS "jobId", o.lease_epoch AS "leaseEpoch", o.target_worker_id AS "targetWorkerId",
             ${isForReaders} AS "isForReaders",
             floor(extract(epoch FROM now()) * 1000)::bigint AS at
        FROM outbox o JOIN jobs j ON j.id = o.job_id AND o.lease_epoch >= j.lease_epoch
       WHERE j.status = 'QUEUED' AND j.not_before <= now() AND o.rung_at < now() - interval '30 seconds'
       ORDER BY o.rung_at LIMIT ${batchSize} FOR UPDATE OF o SKIP LOCKED`;
    const rung = await ringAll(await addressed(tx, bells), ring);
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

/** Says of each whose queues it is rung in. One look at the workers for all of them, and none where no bell is for a store's readers. */
async function addressed<B extends LeftBell>(
  tx: Pick<Database, "$queryRaw">,
  bells: readonly B[],
): Promise<(B & Pick<Bell, "workerIds">)[]> {
  const owners = new Set(bells.flatMap((bell) => (bell.isForReaders ? [bell.targetWorkerId] : [])));
  const readers =
    owners.size === 0
      ? []
      : await tx.$queryRaw<{ ownerId: string; workerId: string }[]>`
          SELECT owner.id AS "ownerId", w.id AS "workerId"
            FROM unnest(${[...owners]}::text[]) AS owner(id) JOIN workers w ON w.capabilities->'readsStoresOf' ? owner.id
           WHERE w.role = 'RESTORE' AND w.status = 'ONLINE' AND w.drained_at IS NULL AND w.retired_at IS NULL`;
  const readersOf = Map.groupBy(readers, ({ ownerId }) => ownerId);
  return bells.map((bell) => ({
    ...bell,
    workerIds: bell.isForReaders
      ? (readersOf.get(bell.targetWorkerId ?? "") ?? []).map(({ workerId }) => workerId)
      : [bell.targetWorkerId],
  }));
}

async function ringAll<B extends Bell>(bells: readonly B[], ring: (bell: B) => Promise<boolean>): Promise<string[]> {
  const outcomes = await Promise.all(bells.map(ring));
  return bells.filter((_, index) => outcomes[index]).map(({ id }) => String(id));
}
