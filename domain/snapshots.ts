// Committed artifacts: found, pinned, and deleted, after a grace, by way of the worker that keeps them.
import * as z from "zod";
import type { Job, Prisma, Snapshot } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, SnapshotDeletedError, SnapshotInUseError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import { changeJob, createJob } from "./queue.ts";
import type { Verb } from "./rules/permissions.ts";
import { readSetting } from "./settings.ts";

const reasonInput = z.object({
  reason: z
    .string()
    .trim()
    .min(1, "Say in a few words why it is kept.")
    .max(500, "A reason has at most 500 characters.")
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, "A reason has no control characters."),
});

/** Where a snapshot's files lie below a storage base, and the prefix of its object keys. Only ids ever enter a path. */
export function snapshotPath(ids: { tenantId: string; sourceId: string; snapshotId: string }): string {
  return `tenants/${ids.tenantId}/sources/${ids.sourceId}/snapshots/${ids.snapshotId}`;
}

export function findSnapshot(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.SnapshotDefaultArgs = {},
): Promise<Snapshot | null> {
  return hub.db.snapshot.findFirst({ ...query, where: visibleRow(actor, id) });
}

/** Several by their ids, all of which the asker was shown; without their manifests. */
export async function findSnapshots(hub: Hub, ids: readonly string[]): Promise<Map<string, Snapshot>> {
  const found = await hub.db.snapshot.findMany({ where: { id: { in: [...ids] } }, omit: { manifest: true } });
  return new Map(found.map((row) => [row.id, { ...row, manifest: null }]));
}

/** Fingerprints of all keys that each of these snapshots is sealed to. Manifests are long, so no more than that is read of them. */
export async function findSealedTo(hub: Hub, ids: readonly string[]): Promise<Map<string, string[]>> {
  const rows = await hub.db.$queryRaw<{ id: string; fingerprints: string[] }[]>`
    SELECT id, ARRAY(SELECT each->>'fingerprint' FROM jsonb_array_elements(manifest->'recipients') each) AS fingerprints
    FROM snapshots WHERE id = ANY(${[...ids]}::text[])`;
  return new Map(rows.map(({ id, fingerprints }) => [id, fingerprints]));
}

/** Keeps the snapshot whatever the retention says, and from being deleted. Pinning it again replaces the reason. */
export async function pinSnapshot(
  hub: Hub,
  actor: Actor,
  { snapshotId, ...input }: { snapshotId: string; reason: string },
): Promise<Snapshot> {
  const { tenantId } = await requireSnapshot(hub, actor, snapshotId, "pinSnapshot");
  const { reason } = parseInput(reasonInput, input);
  return transact(hub, async (tx, announce) => {
    const { status, pinReason, deletionDueAt } = await lockSnapshot(tx, snapshotId);
    if (isGone(status)) throw new SnapshotDeletedError(null);
    if (deletionDueAt) throw new SnapshotDeletedError(deletionDueAt);
    const pinned = await tx.snapshot.update({
      where: { id: snapshotId },
      data: { pinned: true, pinReason: reason },
    });
    announce.snapshotsChanged(tenantId);
    await audit(tx, actor, {
      tenantId,
      verb: "pinSnapshot",
      objectId: snapshotId,
      ...(pinReason !== null && { before: { reason: pinReason } }),
      after: { reason },
    });
    return pinned;
  });
}

/** Leaves the snapshot to the retention again. */
export async function unpinSnapshot(hub: Hub, actor: Actor, { snapshotId }: { snapshotId: string }): Promise<Snapshot> {
  const { tenantId } = await requireSnapshot(hub, actor, snapshotId, "unpinSnapshot");
  return transact(hub, async (tx, announce) => {
    const snapshot = await lockSnapshot(tx, snapshotId);
    if (!snapshot.pinned) return snapshot;
    const unpinned = await tx.snapshot.update({
      where: { id: snapshotId },
      data: { pinned: false, pinReason: null },
    });
    announce.snapshotsChanged(tenantId);
    await audit(tx, actor, {
      tenantId,
      verb: "unpinSnapshot",
      objectId: snapshotId,
      before: { reason: snapshot.pinReason },
    });
    return unpinned;
  });
}

/**
 * Asks for the snapshot's deletion. It can be restored, and the deletion taken back, for as long as the settings say: nobody can make
 * that shorter by asking, and asking again changes nothing. Then its worker removes the bytes.
 */
export async function deleteSnapshot(hub: Hub, actor: Actor, { snapshotId }: { snapshotId: string }): Promise<Job> {
  const { tenantId } = await requireSnapshot(hub, actor, snapshotId, "deleteSnapshot");
  return transact(hub, async (tx, announce) => {
    const snapshot = await lockSnapshot(tx, snapshotId);
    const earlier = await findDeletion(tx, snapshot);
    if (earlier) return earlier;
    const job = await queueDeletion(tx, announce, snapshot);
    await audit(tx, actor, {
      tenantId,
      verb: "deleteSnapshot",
      objectId: snapshotId,
      after: { jobId: job.id, deletionDueAt: job.notBefore.toISOString() },
    });
    return job;
  });
}

/**
 * Queues the job that removes the bytes of a locked snapshot once the grace is over; a removal that began and failed goes on at once.
 * Throws `SnapshotInUseError`.
 */
export async function queueDeletion(tx: Transaction, announce: Announcements, snapshot: Snapshot): Promise<Job> {
  const { id: snapshotId, tenantId } = snapshot;
  if (snapshot.pinned) throw new SnapshotInUseError("pinned");
  if (await isBeingRestored(tx, snapshot)) throw new SnapshotInUseError("being restored");
  const at = await now(tx);
  const graceHours = snapshot.status === "DELETING" ? 0 : await readSetting(tx, "snapshot_deletion_grace_hours");
  // An earlier promise stands: what was due later stays due later.
  const dueAt = new Date(Math.max(at.getTime() + graceHours * 3_600_000, snapshot.deletionDueAt?.getTime() ?? 0));
  await tx.snapshot.update({ where: { id: snapshotId }, data: { deletionDueAt: dueAt } });
  announce.snapshotsChanged(tenantId);
  return createJob(tx, announce, {
    tenantId,
    type: "DELETE_SNAPSHOT",
    targetSnapshotId: snapshotId,
    targetWorkerId: snapshot.workerId,
    notBefore: dueAt,
  });
}

/** Takes a deletion back, until its worker begins with it. Where none was asked for, nothing changes. */
export async function undeleteSnapshot(
  hub: Hub,
  actor: Actor,
  { snapshotId }: { snapshotId: string },
): Promise<Snapshot> {
  const found = await requireSnapshot(hub, actor, snapshotId, "undeleteSnapshot");
  const { tenantId } = found;
  return transact(hub, async (tx, announce) => {
    // The job first, as whoever claims it does: two that wait for each other would wait for ever.
    await lockDeletion(tx, found);
    const snapshot = await lockSnapshot(tx, snapshotId);
    if (isGone(snapshot.status)) throw new SnapshotDeletedError(null);
    if (!snapshot.deletionDueAt) return snapshot;
    const job = await lockDeletion(tx, snapshot);
    if (job) await cancelDeletion(tx, announce, job);
    const kept = await tx.snapshot.update({ where: { id: snapshotId }, data: { deletionDueAt: null } });
    announce.snapshotsChanged(tenantId);
    await audit(tx, actor, {
      tenantId,
      verb: "undeleteSnapshot",
      objectId: snapshotId,
      before: { deletionDueAt: snapshot.deletionDueAt.toISOString() },
    });
    return kept;
  });
}

async function cancelDeletion(tx: Transaction, announce: Announcements, { id }: Job): Promise<void> {
  const at = await now(tx);
  await changeJob(tx, announce, {
    jobId: id,
    data: { status: "CANCELED", cancelRequestedAt: at, endedAt: at },
    kind: "state",
    facts: { status: "CANCELED" },
  });
}

/**
 * The removal begins: from now on nothing is restored from it. Throws `SnapshotInUseError` where somebody was quicker to begin a
 * restore; called with the lock of the job.
 */
export async function beginDeletion(tx: Transaction, announce: Announcements, snapshotId: string): Promise<void> {
  const snapshot = await lockSnapshot(tx, snapshotId);
  if (isGone(snapshot.status)) return;
  if (await isBeingRestored(tx, snapshot)) throw new SnapshotInUseError("being restored");
  await tx.snapshot.update({ where: { id: snapshotId }, data: { status: "DELETING" } });
  announce.snapshotsChanged(snapshot.tenantId);
}

async function lockDeletion(tx: Transaction, snapshot: Snapshot): Promise<Job | null> {
  const job = await findDeletion(tx, snapshot);
  if (job) await tx.$queryRaw`SELECT id FROM jobs WHERE id = ${job.id} FOR UPDATE`;
  return job;
}

/** A deletion was canceled: where no byte was touched yet, the snapshot stays as it was. */
export async function keepAfterAll(tx: Transaction, announce: Announcements, snapshotId: string): Promise<void> {
  const { status, tenantId } = await lockSnapshot(tx, snapshotId);
  if (isGone(status)) return;
  await tx.snapshot.update({ where: { id: snapshotId }, data: { deletionDueAt: null } });
  announce.snapshotsChanged(tenantId);
}

/** The deletion of this snapshot that waits, is under way, or was done. */
export function findDeletion(tx: Transaction, { id, tenantId }: Snapshot): Promise<Job | null> {
  return tx.job.findFirst({
    where: {
      tenantId,
      targetSnapshotId: id,
      type: "DELETE_SNAPSHOT",
      status: { in: ["QUEUED", "RUNNING", "FINALIZING", "COMPLETED"] },
    },
  });
}

async function isBeingRestored(tx: Transaction, { id, tenantId }: Snapshot): Promise<boolean> {
  return (await tx.restore.count({ where: { tenantId, snapshotId: id, status: "PREPARING" } })) > 0;
}

/** Whether the bytes are gone, or on their way out for good. */
export function isGone(status: Snapshot["status"]): boolean {
  return status === "DELETING" || status === "DELETED";
}

export async function lockSnapshot(tx: Transaction, id: string): Promise<Snapshot> {
  await tx.$queryRaw`SELECT id FROM snapshots WHERE id = ${id} FOR UPDATE`;
  return tx.snapshot.findUniqueOrThrow({ where: { id } });
}

/** The snapshot, to somebody who may do this to it. */
async function requireSnapshot(hub: Hub, actor: Actor, id: string, verb: Verb): Promise<Snapshot> {
  const snapshot = await findSnapshot(hub, actor, id);
  if (!snapshot) throw new NotFoundError();
  authorize(actor, snapshot.tenantId, verb);
  return snapshot;
}

/**
 * Which of the snapshots that a worker has on disk belong to nobody: no row that wants them kept, and no attempt under way.
 * A snapshot whose deletion is asked for stays until its job removes it, and one of another worker's stays too: stores may be shared.
 */
export async function reconcileStore(
  hub: Hub,
  { snapshotIds }: { snapshotIds: readonly string[] },
): Promise<{ remove: string[] }> {
  const asked = snapshotIds.slice(0, 1000);
  // In this order: an attempt that ends between the two readings is found by the second one as the snapshot it made.
  const attempts = await hub.db.job.findMany({
    where: { attemptSnapshotId: { in: asked }, status: { in: ["RUNNING", "FINALIZING"] } },
    select: { attemptSnapshotId: true },
  });
  const kept = await hub.db.snapshot.findMany({
    where: { id: { in: asked }, status: { not: "DELETED" } },
    select: { id: true },
  });
  const wanted = new Set([...kept.map((row) => row.id), ...attempts.map((row) => row.attemptSnapshotId)]);
  return { remove: asked.filter((id) => !wanted.has(id)) };
}
