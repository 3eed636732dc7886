// Snapshots looked at again: the bytes of all of them in turn (the scrub), one of each source opened for real (the drill), and any of
// them on request. What follows from a check is in damage.ts.
import type { Depth, Job, Snapshot } from "../prisma/client/client.ts";
import { type Actor, authorize } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, SnapshotDeletedError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { refuseUnopenable } from "./keys.ts";
import { changeJob, createJob } from "./queue.ts";
import { readSetting } from "./settings.ts";
import { findSnapshot, isGone } from "./snapshots.ts";
import { refuseSuspended } from "./tenants.ts";

const mebibyte = 1_048_576n;

/** After everything that somebody waits for. */
const inTurn = -10;
const onRequest = 5;

/** Checks that wait for one worker at a time: it does one after the other. */
const waitingPerWorker = 100;
const drillsAtOnce = 20;

type Checked = Pick<Snapshot, "id" | "tenantId" | "workerId">;

/** How fast one process may read for checks, in bytes a second; null: without limit. */
export async function checkRate(tx: Transaction): Promise<bigint | null> {
  const rate = await readSetting(tx, "scrub_rate_mb_per_second");
  return rate === 0 ? null : BigInt(rate) * mebibyte;
}

/**
 * The check of this depth that waits or is under way, with this priority at least; a new one where there is none. Not to be called
 * with the lock of the snapshot.
 */
export async function queueCheck(
  tx: Transaction,
  announce: Announcements,
  { id: targetSnapshotId, tenantId, workerId }: Checked,
  { depth, priority, notBefore }: { depth: Depth; priority: number; notBefore?: Date },
): Promise<Job> {
  await tx.$queryRaw`SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended(${`check of ${targetSnapshotId}`}, 0))`;
  const earlier = await tx.job.findFirst({
    where: {
      ...{ tenantId, targetSnapshotId, type: "VERIFY", verifyDepth: depth },
      status: { in: ["QUEUED", "RUNNING", "FINALIZING"] },
    },
  });
  if (!earlier)
    return createJob(tx, announce, {
      ...{ tenantId, type: "VERIFY", verifyDepth: depth, targetSnapshotId, priority },
      targetWorkerId: workerId,
      ...(notBefore && { notBefore }),
    });
  if (earlier.priority >= priority) return earlier;
  return changeJob(tx, announce, {
    jobId: earlier.id,
    data: { priority },
    kind: "urgent",
    facts: { priority },
  });
}

export interface VerifySnapshotInput {
  readonly snapshotId: string;
  /** Where none is given: the bytes, and of one that is damaged as much as it takes to see the damage. */
  readonly depth?: Depth | null | undefined;
}

/**
 * Asks for a check, ahead of the platform's own; asking again while it waits or is under way changes nothing. A snapshot that was found
 * damaged or missing, and is whole by now, becomes good again by it, and by nothing else.
 */
export async function verifySnapshot(hub: Hub, actor: Actor, input: VerifySnapshotInput): Promise<Job> {
  const found = await findSnapshot(hub, actor, input.snapshotId);
  if (!found) throw new NotFoundError();
  const { tenantId, id, damageDepth } = found;
  authorize(actor, tenantId, "verifySnapshot");
  const depth = damageDepth === "CONTENT" ? damageDepth : (input.depth ?? "BYTES");
  return transact(hub, async (tx, announce) => {
    await refuseSuspended(tx, tenantId);
    const snapshot = await tx.snapshot.findUniqueOrThrow({ where: { id } });
    if (isGone(snapshot.status) || snapshot.status === "FAILED") throw new SnapshotDeletedError(null);
    if (depth === "CONTENT") await refuseUnopenable(tx, tenantId, snapshot.keyFingerprint);
    const job = await queueCheck(tx, announce, snapshot, { depth, priority: onRequest });
    await audit(tx, actor, { tenantId, verb: "verifySnapshot", objectId: id, after: { jobId: job.id, depth } });
    return job;
  });
}

/**
 * Queues the checks that have come due, for workers that are there to do them, and answers how many. One hub at a time does so: the
 * others have nothing to do.
 */
export async function runDueChecks(hub: Hub): Promise<number> {
  return transact(hub, async (tx, announce) => {
    const [lock] = await tx.$queryRaw<{ held: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended('due checks', 0)) AS held`;
    if (!lock?.held) return 0;
    const scrubbed = await findUnseen(tx, await readSetting(tx, "scrub_interval_days"));
    const at = (await now(tx)).getTime();
    // Jobs of the same moment come in any order: a millisecond apart, they come in that of their turns.
    for (const [turn, each] of scrubbed.entries())
      await queueCheck(tx, announce, each, { depth: "BYTES", priority: inTurn, notBefore: new Date(at + turn) });
    const opened = await findUnopened(tx, await readSetting(tx, "drill_interval_days"));
    for (const each of opened) await queueCheck(tx, announce, each, { depth: "CONTENT", priority: inTurn });
    return scrubbed.length + opened.length;
  });
}

/**
 * Good snapshots that nobody looked at for five sevenths of the interval, those of each worker in the order of their turn: the rest of
 * it is left for reading them. A check that failed for another reason than damage is tried again after a seventh.
 */
function findUnseen(tx: Transaction, days: number): Promise<Checked[]> {
  if (days === 0) return Promise.resolve([]);
  return tx.$queryRaw<Checked[]>`
    SELECT due.id, due.tenant_id AS "tenantId", w.id AS "workerId" FROM workers w
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS jobs FROM jobs q
        WHERE q.target_worker_id = w.id AND q.status = 'QUEUED' AND q.type = 'VERIFY' AND q.verify_depth = 'BYTES') waiting
      CROSS JOIN LATERAL (
        SELECT n.id, n.tenant_id FROM snapshots n JOIN tenants t ON t.id = n.tenant_id AND t.status = 'ACTIVE'
        WHERE n.worker_id = w.id AND n.status = 'COMPLETED'
          AND COALESCE(n.verified_at, n.created_at) < now() - make_interval(days => ${days}) * 5 / 7
          AND NOT EXISTS (
            SELECT FROM jobs j WHERE j.tenant_id = n.tenant_id AND j.target_snapshot_id = n.id
              AND j.type = 'VERIFY' AND j.verify_depth = 'BYTES'
              AND (j.status IN ('QUEUED', 'RUNNING', 'FINALIZING') OR (j.status <> 'COMPLETED' AND j.created_at > now() - make_interval(days => ${days}) / 7)))
        ORDER BY COALESCE(n.verified_at, n.created_at) LIMIT GREATEST(0, ${waitingPerWorker} - waiting.jobs)) due
    WHERE w.role = 'BACKUP' AND w.status = 'ONLINE' AND w.capabilities->'jobTypes' ? 'VERIFY'
    LIMIT ${waitingPerWorker * 2}`;
}

/**
 * One good snapshot, whichever, of each source of which none was opened within the interval: where the platform holds the key, and a
 * restore service is there that reads the store. Sources of less than a seventh of it have time.
 */
function findUnopened(tx: Transaction, days: number): Promise<Checked[]> {
  if (days === 0) return Promise.resolve([]);
  return tx.$queryRaw<Checked[]>`
    SELECT pick.id, s.tenant_id AS "tenantId", pick.worker_id AS "workerId" FROM sources s
      JOIN tenants t ON t.id = s.tenant_id AND t.status = 'ACTIVE'
      CROSS JOIN LATERAL (
        SELECT n.id, n.worker_id FROM snapshots n
          JOIN tenant_keys k ON k.tenant_id = n.tenant_id AND k.fingerprint = n.key_fingerprint
            AND k.custody = 'PLATFORM' AND k.status <> 'DISABLED'
        WHERE n.tenant_id = s.tenant_id AND n.source_id = s.id AND n.status = 'COMPLETED' AND n.deletion_due_at IS NULL
          AND EXISTS (SELECT FROM workers r WHERE r.role = 'RESTORE' AND r.status = 'ONLINE'
            AND r.capabilities->'jobTypes' ? 'VERIFY' AND r.capabilities->'readsStoresOf' ? n.worker_id)
        ORDER BY random() LIMIT 1) pick
    WHERE s.deleted_at IS NULL AND s.created_at < now() - make_interval(days => ${days}) / 7
      AND NOT EXISTS (
        SELECT FROM snapshots o WHERE o.tenant_id = s.tenant_id AND o.source_id = s.id
          AND o.opened_at > now() - make_interval(days => ${days}))
      AND NOT EXISTS (
        SELECT FROM jobs j JOIN snapshots o ON o.tenant_id = j.tenant_id AND o.id = j.target_snapshot_id
        WHERE o.source_id = s.id AND j.tenant_id = s.tenant_id AND j.type = 'VERIFY' AND j.verify_depth = 'CONTENT'
          AND (j.status IN ('QUEUED', 'RUNNING', 'FINALIZING') OR (j.status <> 'COMPLETED' AND j.created_at > now() - make_interval(days => ${days}) / 7)))
    LIMIT ${drillsAtOnce}`;
}
