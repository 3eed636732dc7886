// Sources put to rest, woken, and given up.
import type { Source } from "../prisma/client/client.ts";
import { type Actor, authorize } from "./actor.ts";
import { audit } from "./audit.ts";
import { BackupAlreadyRunningError, NotFoundError, SourceHasSnapshotsError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { findActiveBackup } from "./jobs.ts";
import { deleteSchedulesOf } from "./schedules.ts";
import { findDeletion, lockSnapshot, queueDeletion } from "./snapshots.ts";
import { facts, requireSource } from "./sources.ts";

/** No backup of it begins until it is enabled again; one under way goes on. Its schedules keep their timetable. */
export function disableSource(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Source> {
  return changeStatus(hub, actor, sourceId, "disableSource", "DISABLED");
}

export function enableSource(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Source> {
  return changeStatus(hub, actor, sourceId, "enableSource", "ACTIVE");
}

/** Asking for what is already so changes nothing, and is not written down. */
async function changeStatus(
  hub: Hub,
  actor: Actor,
  sourceId: string,
  verb: "disableSource" | "enableSource",
  status: Source["status"],
): Promise<Source> {
  const { tenantId } = await requireSource(hub, actor, sourceId);
  authorize(actor, tenantId, verb);
  return transact(hub, async (tx) => {
    const before = await lockSource(tx, sourceId);
    if (before.status === status) return before;
    const source = await tx.source.update({ where: { id: sourceId }, data: { status } });
    await audit(tx, actor, {
      tenantId,
      verb,
      objectId: sourceId,
      before: { status: before.status },
      after: { status },
    });
    return source;
  });
}

/**
 * Gives a source up. Its row stays behind its jobs and snapshots and is found by its id no more; its schedules go, and its
 * credential is free. Throws `BackupAlreadyRunningError`, `SourceHasSnapshotsError` unless `deleteSnapshots`, and
 * `SnapshotInUseError` for a snapshot that is pinned or being restored.
 */
export async function deleteSource(
  hub: Hub,
  actor: Actor,
  { sourceId, deleteSnapshots }: { sourceId: string; deleteSnapshots?: boolean | null | undefined },
): Promise<Source> {
  const { tenantId } = await requireSource(hub, actor, sourceId);
  authorize(actor, tenantId, "deleteSource");
  return transact(hub, async (tx, announce) => {
    const before = await lockSource(tx, sourceId);
    const active = await findActiveBackup(tx, tenantId, sourceId);
    if (active) throw new BackupAlreadyRunningError(active.id);
    const kept = await tx.snapshot.findMany({
      where: { tenantId, sourceId, deletionDueAt: null, status: { notIn: ["FAILED", "DELETING", "DELETED"] } },
      select: { id: true },
      orderBy: { id: "asc" },
    });
    if (kept.length > 0 && !deleteSnapshots) throw new SourceHasSnapshotsError(kept.length);
    for (const { id } of kept) await deleteSnapshotOf(tx, announce, actor, { tenantId, snapshotId: id });
    const schedules = await deleteSchedulesOf(tx, before);
    const at = await now(tx);
    const source = await tx.source.update({
      where: { id: sourceId },
      data: { deletedAt: at, status: "DISABLED", credentialId: null },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "deleteSource",
      objectId: sourceId,
      before: { ...facts(before), type: before.type, status: before.status, schedules },
      after: { deletedAt: at.toISOString(), snapshots: kept.map(({ id }) => id) },
    });
    return source;
  });
}

/** As `deleteSnapshot` does it, by whoever may delete the source that it is of. */
async function deleteSnapshotOf(
  tx: Transaction,
  announce: Announcements,
  actor: Actor,
  { tenantId, snapshotId }: { tenantId: string; snapshotId: string },
): Promise<void> {
  const snapshot = await lockSnapshot(tx, snapshotId);
  if (await findDeletion(tx, snapshot)) return;
  const job = await queueDeletion(tx, announce, snapshot);
  await audit(tx, actor, { tenantId, verb: "deleteSnapshot", objectId: snapshotId, after: { jobId: job.id } });
}

/** Until the transaction ends nobody begins a backup of it, nor changes it. Throws `NotFoundError` where it was deleted meanwhile. */
async function lockSource(tx: Transaction, id: string): Promise<Source> {
  await tx.$queryRaw`SELECT id FROM sources WHERE id = ${id} FOR NO KEY UPDATE`;
  const source = await tx.source.findFirst({ where: { id, deletedAt: null } });
  if (!source) throw new NotFoundError();
  return source;
}
