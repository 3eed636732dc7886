// Reads the entries of a whole tar, and holds them against what the manifest says of all of them together.
import { ArtifactError } from "./errors.ts";
import { LinkGuard } from "./link-guard.ts";
import type { Manifest } from "./manifest.ts";
import { type OpenedEntry, openedEntry } from "./opened-entry.ts";
import type { Piece, ReadOptions } from "./tar/byte-queue.ts";
import { readTar } from "./tar/reader.ts";

/** What there has to be in all. */
export type Totals = Pick<Manifest, "counts" | "plainBytes">;

/** Throws as reading an `OpenedArtifact` does. */
export async function* entriesOf(
  tar: AsyncGenerator<Piece>,
  manifest: Totals,
  options?: ReadOptions,
): AsyncGenerator<OpenedEntry> {
  const guard = new LinkGuard();
  const { files, directories, symlinks, hardlinks } = manifest.counts;
  let entriesLeft = files + directories + symlinks + hardlinks;
  let bytesLeft = manifest.plainBytes;
  for await (const member of readTar(tar, options)) {
    const entry = openedEntry(guard, member);
    entriesLeft -= 1;
    bytesLeft -= entry.size;
    if (entriesLeft < 0 || bytesLeft < 0)
      throw new ArtifactError("LIMIT_EXCEEDED", "More is in the backup than its manifest says.");
    yield entry;
  }
  if (entriesLeft > 0 || bytesLeft > 0)
    throw new ArtifactError("ARTIFACT_CORRUPT", "Less is in the backup than its manifest says.");
}
