// An artifact outside its storage: four files that were downloaded, dropped on a page or put behind some address.
import { type ArtifactPlace, readDocument } from "./document-reader.ts";
import { StorageError } from "./errors.ts";
import { claimedIds, fileNames } from "./manifest.ts";
import { snapshotDirectory } from "./snapshot-directory.ts";
import type { RangeReader } from "./storage/storage.ts";

/**
 * The place to give to `openArtifact` and `verify`. `open` is called with the names of the four files and throws `StorageError`
 * `NOT_STORED` for one that is missing. Nothing but its own documents tells whose snapshot it is: who knows compares the ids.
 */
export async function looseArtifact(open: (name: string) => Promise<RangeReader>): Promise<ArtifactPlace> {
  const storage = {
    open: (_directory: string, name: string) => open(name),
    async stat(_directory: string, name: string) {
      try {
        const file = await open(name);
        await file.close();
        return { size: file.size };
      } catch (error) {
        if (error instanceof StorageError && error.code === "NOT_STORED") return null;
        throw error;
      }
    },
  };
  const meta = await readDocument({ storage, directory: "" }, fileNames.meta);
  return { storage, directory: snapshotDirectory(claimedIds(new TextDecoder().decode(meta), fileNames.meta)) };
}
