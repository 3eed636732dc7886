// Committed artifacts: found, and deleted by way of the worker that keeps them.
import type { Job, Prisma, Snapshot } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, SnapshotInUseError } from "./errors.ts";
import { type Hub, transact } from "./hub.ts";
import { createJob } from "./queue.ts";

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

/** Marks the snapshot as going and asks its worker to remove the bytes. Asking again answers with the job under way. */
export async function deleteSnapshot(hub: Hub, actor: Actor, { snapshotId }: { snapshotId: string }): Promise<Job> {
  const found = await findSnapshot(hub, actor, snapshotId);
  if (!found) throw new NotFoundError();
  const { tenantId } = found;
  authorize(actor, tenantId, "deleteSnapshot");
  return transact(hub, async (tx, announce) => {
    await tx.$queryRaw`SELECT id FROM snapshots WHERE id = ${snapshotId} FOR UPDATE`;
    const snapshot = await tx.snapshot.findUniqueOrThrow({ where: { id: snapshotId } });
    const earlier = await tx.job.findFirst({
      where: {
        tenantId,
        targetSnapshotId: snapshotId,
        type: "DELETE_SNAPSHOT",
        status: { in: ["QUEUED", "RUNNING", "FINALIZING", "COMPLETED"] },
      },
    });
    if (earlier) return earlier;
    if (snapshot.pinned) throw new SnapshotInUseError("pinned");
    if ((await tx.restore.count({ where: { tenantId, snapshotId, status: "PREPARING" } })) > 0)
      throw new SnapshotInUseError("being restored");
    await tx.snapshot.update({ where: { id: snapshotId }, data: { status: "DELETING" } });
    announce.snapshotsChanged(tenantId);
    const job = await createJob(tx, announce, {
      tenantId,
      type: "DELETE_SNAPSHOT",
      targetSnapshotId: snapshotId,
      targetWorkerId: snapshot.workerId,
    });
    await audit(tx, actor, { tenantId, verb: "deleteSnapshot", objectId: snapshotId });
    return job;
  });
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
