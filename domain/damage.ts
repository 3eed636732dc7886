// What a check found: a snapshot that is whole, or one that is damaged or missing, and what is done about that.
import type { Depth, Job, Snapshot } from "../prisma/client/client.ts";
import type { Actor, WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { queueCheck } from "./checks.ts";
import type { Announcements } from "./events.ts";
import { now, type Transaction } from "./hub.ts";
import { findActiveBackup } from "./jobs.ts";
import { changeJob, createJob } from "./queue.ts";
import type { FailureCode } from "./rules/failures.ts";
import { isGone, lockSnapshot } from "./snapshots.ts";

/** What is said of a snapshot whose bytes an inventory does not find. */
export const nothingThere = "Nothing of it is where it should lie.";

/** Goes before everything that a customer starts, but restores. */
const urgent = 8;

/**
 * A check found the snapshot whole. One that was damaged or missing is good again only where this check looked as deep as the one
 * that found the damage, and that is written down.
 */
export async function markSnapshotWhole(
  tx: Transaction,
  by: Actor | WorkerActor,
  { id: jobId, targetSnapshotId, verifyDepth }: Pick<Job, "id" | "targetSnapshotId" | "verifyDepth">,
): Promise<void> {
  const before = await lockSnapshot(tx, targetSnapshotId ?? "");
  const depth = verifyDepth ?? "BYTES";
  if (isGone(before.status) || isShallower(depth, before.damageDepth)) return;
  const at = await now(tx);
  await tx.snapshot.update({
    where: { id: before.id },
    data: {
      status: "COMPLETED",
      verifiedAt: at,
      verifyDepth: depth,
      ...(depth === "CONTENT" && { openedAt: at }),
      ...{ damagedAt: null, damage: null, damageDepth: null },
    },
  });
  if (before.status === "COMPLETED") return;
  await audit(tx, by, {
    tenantId: before.tenantId,
    verb: "markSnapshotWhole",
    objectId: before.id,
    before: { status: before.status, damage: before.damage },
    after: { status: "COMPLETED", depth, jobId },
  });
}

export interface Damage {
  readonly snapshotId: string;
  readonly status: "CORRUPT" | "MISSING";
  /** In a sentence. */
  readonly reason: string;
  /** How deep the check looked that found it. */
  readonly depth: Depth;
}

/**
 * The snapshot is not what was written, or not where it should lie: nothing is restored from it any more, it is no good one to the
 * retention, and its source is backed up again, before others. What was found already, or is about to be deleted, raises no new backup.
 */
async function markSnapshotDamaged(
  tx: Transaction,
  announce: Announcements,
  by: Actor | WorkerActor,
  { snapshotId, status, reason, depth }: Damage,
): Promise<void> {
  await holdSourcesOf(tx, [snapshotId]);
  const before = await lockSnapshot(tx, snapshotId);
  if (isGone(before.status) || before.status === "FAILED") return;
  await tx.snapshot.update({
    where: { id: snapshotId },
    data: {
      status,
      damage: reason,
      damagedAt: before.damagedAt ?? (await now(tx)),
      damageDepth: isShallower(depth, before.damageDepth) ? before.damageDepth : depth,
    },
  });
  announce.snapshotsChanged(before.tenantId);
  if (before.status === status) return;
  const wasGood = before.status === "COMPLETED" && before.deletionDueAt === null;
  const backup = wasGood ? await queueUrgentBackup(tx, announce, before) : null;
  await audit(tx, by, {
    tenantId: before.tenantId,
    verb: "markSnapshotDamaged",
    objectId: snapshotId,
    before: { status: before.status },
    after: { status, damage: reason, depth, backupJobId: backup?.id ?? null },
  });
}

/**
 * Locks the sources of these snapshots: before the snapshots, as the retention does, and so that nobody begins a backup of them
 * meanwhile.
 */
export async function holdSourcesOf(tx: Transaction, snapshotIds: readonly string[]): Promise<void> {
  await tx.$queryRaw`
    SELECT id FROM sources WHERE id IN (SELECT source_id FROM snapshots WHERE id = ANY(${[...snapshotIds]}::text[]))
    ORDER BY id FOR NO KEY UPDATE`;
}

/** Called with the lock of the source. Null: it is not backed up any more, or the damage of a whole disk has been answered today. */
export async function queueUrgentBackup(
  tx: Transaction,
  announce: Announcements,
  { tenantId, sourceId }: Pick<Snapshot, "tenantId" | "sourceId">,
): Promise<Job | null> {
  const source = await tx.source.findUniqueOrThrow({ where: { id: sourceId }, include: { tenant: true } });
  if (source.status !== "ACTIVE" || source.deletedAt !== null || source.tenant.status !== "ACTIVE") return null;
  const underWay = await findActiveBackup(tx, tenantId, sourceId);
  if (underWay) {
    if (underWay.status !== "QUEUED" || underWay.priority >= urgent) return underWay;
    return changeJob(tx, announce, {
      jobId: underWay.id,
      data: { priority: urgent },
      kind: "urgent",
      facts: { priority: urgent },
    });
  }
  const dayAgo = new Date((await now(tx)).getTime() - 86_400_000);
  const answered = await tx.snapshot.count({
    where: {
      ...{ tenantId, sourceId, status: "COMPLETED", createdAt: { gt: dayAgo } },
      job: { type: "BACKUP", priority: urgent },
    },
  });
  if (answered > 0) return null;
  return createJob(tx, announce, { tenantId, type: "BACKUP", sourceId, priority: urgent });
}

/**
 * An attempt failed: a check that found damage has said so, and a restore that came upon some asks for a check of all of the snapshot.
 * Called with the lock of the job.
 */
export async function followFailure(
  tx: Transaction,
  announce: Announcements,
  worker: WorkerActor,
  { job, code, message, missing }: { job: Job; code: FailureCode; message: string; missing: boolean },
): Promise<void> {
  if (code !== "ARTIFACT_CORRUPT" || !job.targetSnapshotId) return;
  if (job.type === "VERIFY")
    return markSnapshotDamaged(tx, announce, worker, {
      snapshotId: job.targetSnapshotId,
      status: missing ? "MISSING" : "CORRUPT",
      reason: message,
      depth: job.verifyDepth ?? "BYTES",
    });
  if (job.type !== "RESTORE") return;
  const snapshot = await tx.snapshot.findUniqueOrThrow({ where: { id: job.targetSnapshotId } });
  const { form } = await tx.restore.findUniqueOrThrow({ where: { jobId: job.id } });
  await queueCheck(tx, announce, snapshot, { depth: form === "SEALED" ? "BYTES" : "CONTENT", priority: urgent });
}

function isShallower(depth: Depth, than: Depth | null): boolean {
  return depth === "BYTES" && than === "CONTENT";
}
