// What a dashboard shows beside a source, for many sources at once.
import type { Prisma, Snapshot } from "../prisma/client/client.ts";
import type { Hub } from "./hub.ts";

/** The newest snapshot that can be restored, by the source's id. `query` says what else to load of it, in Prisma's words. */
export async function lastSnapshots(
  hub: Hub,
  sourceIds: string[],
  query: object = {},
): Promise<ReadonlyMap<string, Snapshot>> {
  // One look into the index for each source, however many snapshots it has.
  const newest = await hub.db.$queryRaw<{ id: string; sourceId: string }[]>`
    SELECT newest.id, s.id AS "sourceId" FROM sources s CROSS JOIN LATERAL (
      SELECT p.id FROM snapshots p
        WHERE p.tenant_id = s.tenant_id AND p.source_id = s.id AND p.status = 'COMPLETED'
        ORDER BY p.id DESC LIMIT 1) newest
      WHERE s.id = ANY (${sourceIds})`;
  const snapshots = await hub.db.snapshot.findMany({
    ...(query as Prisma.SnapshotDefaultArgs),
    where: { id: { in: newest.map(({ id }) => id) } },
  });
  const byId = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]));
  return new Map(
    newest.flatMap(({ id, sourceId }) => {
      const snapshot = byId.get(id);
      return snapshot ? [[sourceId, snapshot] as const] : [];
    }),
  );
}

/** When a schedule makes the source due next, by the source's id. */
export async function nextRunsOf(hub: Hub, sourceIds: string[]): Promise<ReadonlyMap<string, Date>> {
  const rows = await hub.db.schedule.groupBy({
    by: ["sourceId"],
    where: { sourceId: { in: sourceIds }, status: "ENABLED", source: { status: "ACTIVE" } },
    _min: { nextRunAt: true },
  });
  return new Map(rows.flatMap(({ sourceId, _min }) => (_min.nextRunAt ? [[sourceId, _min.nextRunAt]] : [])));
}
