// What the hub wants to know of an artifact that it has no row for, read from the artifact itself.
import { fileNames, type SnapshotIds, type Storage, snapshotDirectory, type Verification } from "#artifact/node";
import type { HubClient } from "../clients/hub/hub-client.ts";

/** Whose snapshot a directory would hold, by its name; null for one that is none of a snapshot. */
export function idsOf(directory: string): SnapshotIds | null {
  const [, tenantId, , sourceId, , snapshotId, ...more] = directory.split("/");
  if (tenantId === undefined || sourceId === undefined || snapshotId === undefined || more.length > 0) return null;
  const ids = { tenantId, sourceId, snapshotId };
  return snapshotDirectory(ids) === directory ? ids : null;
}

type Adoptable = Parameters<HubClient["adoptSnapshot"]>[0]["snapshot"];

/** The warnings themselves are sealed in the catalogue: how many there were of each kind is all that is known without a key. */
export async function adoptableSnapshot(
  storage: Storage,
  directory: string,
  { manifest, manifestSha256 }: Verification,
): Promise<Adoptable> {
  const sizes = await Promise.all(Object.values(fileNames).map((name) => storage.stat(directory, name)));
  const { ids, plainBytes, counts, durationMs, partial, artifact } = manifest;
  return {
    snapshotId: ids.snapshotId,
    manifest,
    manifestSha256,
    artifactSha256: artifact.sha256,
    plainBytes,
    storedBytes: sizes.reduce((sum, each) => sum + (each?.size ?? 0), 0),
    fileCount: counts.files,
    durationMs,
    partial,
    warnings: Object.entries(manifest.warnings).map(([code, count]) => ({
      code,
      path: "",
      message: `There were ${count} of these: the artifact's own catalogue names them.`,
    })),
  };
}
