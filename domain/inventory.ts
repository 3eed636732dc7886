// What a worker's store holds against what the rows here say of it: what is gone is marked, what came back is good again, and what
// nobody knows is weighed in adoption.ts.
import * as z from "zod";
import type { Prisma } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import { snapshotPath } from "./snapshots.ts";
import { requireWorker } from "./workers.ts";

/** Directories in one page. */
const pageSize = 1000;
/** Rows that one page may find missing: more than that is found by the next inventory. */
const mostMissing = 20_000;

export interface CompareStoreInput {
  /** Snapshots that are there, with ids above `after` and up to `upTo`; all of that stretch. */
  readonly snapshotIds: readonly string[];
  /** Null: from the very first one. */
  readonly after?: string | null | undefined;
  /** Null: to the very last one. */
  readonly upTo?: string | null | undefined;
  /** The process has just started: nothing of its own is under way, whatever the leases say. */
  readonly atStart: boolean;
}

export interface StoreComparison {
  /** There, and of no row: to be looked at and weighed. */
  readonly unknown: string[];
  /** There, and deleted: to be removed. */
  readonly remove: string[];
  /** Directories of snapshots that ought to be there: to be looked for once more, for they may have come after the list was made. */
  readonly missing: { snapshotId: string; directory: string }[];
  /** There again after they were missing: good once their bytes are verified. */
  readonly returned: { snapshotId: string; manifestSha256: string }[];
}

/** Compares one stretch of a worker's store with the rows here. Changes nothing. */
export async function compareStore(hub: Hub, worker: WorkerActor, input: CompareStoreInput): Promise<StoreComparison> {
  if (input.snapshotIds.length > pageSize)
    throw new InvalidInputError([{ path: "snapshotIds", message: `At most ${pageSize} at a time.` }]);
  const { workerId } = worker;
  const asked = [...input.snapshotIds];
  const { platform } = hub;
  // In this order: an attempt that ends between the two readings is found by the second one as the snapshot it made.
  const attempts = await platform.job.findMany({
    where: { attemptSnapshotId: { in: asked }, status: { in: ["RUNNING", "FINALIZING"] } },
    select: { attemptSnapshotId: true, workerId: true },
  });
  const rows = await platform.snapshot.findMany({
    where: { id: { in: asked } },
    select: { id: true, status: true, workerId: true, manifestSha256: true },
  });
  const known = new Map(rows.map((row) => [row.id, row]));
  const underWay = new Set(
    attempts.flatMap((row) => (input.atStart && row.workerId === workerId ? [] : [row.attemptSnapshotId])),
  );
  const missing = await platform.$queryRaw<{ id: string; tenantId: string; sourceId: string }[]>`
    SELECT id, tenant_id AS "tenantId", source_id AS "sourceId" FROM snapshots
    WHERE worker_id = ${workerId} AND status IN ('COMPLETED', 'CORRUPT') AND storage = 'LOCAL_FS'
      AND (${input.after ?? null}::text IS NULL OR id COLLATE "C" > ${input.after ?? null})
      AND (${input.upTo ?? null}::text IS NULL OR id COLLATE "C" <= ${input.upTo ?? null})
      AND NOT (id = ANY(${asked}::text[])) ORDER BY id LIMIT ${mostMissing}`;
  return {
    unknown: asked.filter((id) => !known.has(id) && !underWay.has(id)),
    remove: rows.filter(({ status }) => status === "DELETED").map(({ id }) => id),
    missing: missing.map(({ id, ...ids }) => ({ snapshotId: id, directory: snapshotPath({ snapshotId: id, ...ids }) })),
    returned: rows
      .filter(({ status, workerId: keeper }) => status === "MISSING" && keeper === workerId)
      .map(({ id, manifestSha256 }) => ({ snapshotId: id, manifestSha256 })),
  };
}

/** These were looked for and are not there. What is on its way out, or another worker's, stays as it is. */
export function reportMissing(
  hub: Hub,
  worker: WorkerActor,
  { snapshotIds }: { snapshotIds: readonly string[] },
): Promise<{ snapshotIds: string[] }> {
  return transact(asPlatform(hub), async (tx, announce) => {
    await requireWorker(tx, worker);
    const lost = await tx.$queryRaw<{ id: string; tenantId: string }[]>`
      UPDATE snapshots SET status = 'MISSING' WHERE id = ANY(${snapshotIds.slice(0, pageSize)}::text[])
        AND worker_id = ${worker.workerId} AND status IN ('COMPLETED', 'CORRUPT') RETURNING id, tenant_id AS "tenantId"`;
    for (const { id, tenantId } of lost) {
      announce.snapshotsChanged(tenantId);
      await audit(tx, worker, { tenantId, verb: "reportMissing", objectId: id, after: { status: "MISSING" } });
    }
    return { snapshotIds: lost.map(({ id }) => id) };
  });
}

/** A missing snapshot is there again, and its bytes are those of the manifest: it can be restored again. */
export function reportReturned(
  hub: Hub,
  worker: WorkerActor,
  { snapshotId, manifestSha256 }: { snapshotId: string; manifestSha256: string },
): Promise<{ returned: boolean }> {
  return transact(asPlatform(hub), async (tx, announce) => {
    await requireWorker(tx, worker);
    const [back] = await tx.$queryRaw<{ tenantId: string }[]>`
      UPDATE snapshots SET status = 'COMPLETED', verified_at = now() WHERE id = ${snapshotId} AND status = 'MISSING'
        AND worker_id = ${worker.workerId} AND manifest_sha256 = ${manifestSha256} RETURNING tenant_id AS "tenantId"`;
    if (!back) return { returned: false };
    const { tenantId } = back;
    announce.snapshotsChanged(tenantId);
    await audit(tx, worker, { tenantId, verb: "reportReturned", objectId: snapshotId, after: { status: "COMPLETED" } });
    return { returned: true };
  });
}

const count = z.number().int().min(0);
const inventoryInput = z.object({
  present: count,
  adopted: count,
  removed: count,
  missing: count,
  returned: count,
  /** What was left alone, and why. */
  left: z
    .array(z.object({ snapshotId: z.string().max(64), reason: z.string().max(200) }))
    .transform((all) => all.slice(0, 100)),
});

export type Inventory = z.infer<typeof inventoryInput>;

/** An inventory came to its end. */
export function reportInventory(hub: Hub, worker: WorkerActor, input: unknown): Promise<{ at: Date }> {
  const inventory = parseInput(inventoryInput, input);
  return transact(asPlatform(hub), async (tx, announce) => {
    const { id } = await requireWorker(tx, worker);
    const at = await now(tx);
    await tx.worker.update({
      where: { id },
      data: { inventoriedAt: at, inventory: inventory as Prisma.InputJsonObject },
    });
    announce.workersChanged();
    return { at };
  });
}

/** What a worker's last inventory came to; null before the first one. */
export function inventoryOf(stored: Prisma.JsonValue): Inventory | null {
  return inventoryInput.safeParse(stored).data ?? null;
}

/** Whether there is a row of this tenant or, as the audit has it, there was one until it was purged. */
export async function standingOf(tx: Transaction, tenantId: string): Promise<"known" | "purged" | "unknown"> {
  if ((await tx.tenant.count({ where: { id: tenantId } })) > 0) return "known";
  const purged = await tx.auditEvent.count({ where: { tenantId, verb: "purgeTenant", objectId: tenantId } });
  return purged > 0 ? "purged" : "unknown";
}
