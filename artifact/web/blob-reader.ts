// Reads ranges of a Blob: a file that somebody chose or dropped on a page.
import { StorageError } from "../errors.ts";
import type { RangeReader } from "../storage/storage.ts";

export function blobReader(blob: Blob): RangeReader {
  return {
    size: blob.size,
    async read(position, length, signal) {
      signal?.throwIfAborted();
      if (position + length > blob.size)
        throw new StorageError("NOT_STORED", `The file ends before byte ${position + length}.`);
      try {
        return new Uint8Array(await blob.slice(position, position + length).arrayBuffer());
      } catch (cause) {
        // A file that was changed or taken away after it was chosen.
        throw new StorageError("STORAGE_UNAVAILABLE", "The file can no longer be read.", { cause });
      }
    },
    close: async () => {},
  };
}
