// Whose snapshot an artifact is, and the one directory that belongs to it.

/** Ids are opaque: `[A-Za-z0-9_-]`, 1 to 64 characters. */
export interface SnapshotIds {
  readonly tenantId: string;
  readonly sourceId: string;
  readonly snapshotId: string;
}

export interface ArtifactIds extends SnapshotIds {
  readonly jobId: string;
  readonly workerId: string;
}

export const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Throws `RangeError` where one of them is no id. */
export function checkIds(...ids: readonly string[]): void {
  for (const id of ids) if (!idPattern.test(id)) throw new RangeError(`not an id: ${JSON.stringify(id.slice(0, 80))}`);
}

/** The directory of a snapshot under a storage's base. Throws as `checkIds` does: no other text ever enters a path. */
export function snapshotDirectory({ tenantId, sourceId, snapshotId }: SnapshotIds): string {
  checkIds(tenantId, sourceId, snapshotId);
  return `tenants/${tenantId}/sources/${sourceId}/snapshots/${snapshotId}`;
}
