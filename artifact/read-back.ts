// Reads a file of a draft back from the storage: a write is done when what comes back is what went in.
import { createHash } from "node:crypto";
import { StorageError } from "./errors.ts";
import type { Draft, RangeReader } from "./storage/storage.ts";

const readBytes = 1_048_576;

/** Throws `StorageError` `STORAGE_UNAVAILABLE` where the stored bytes are others than `sha256` tells. */
export async function checkReadBack(
  draft: Draft,
  expected: { readonly name: string; readonly sha256: string },
  signal: AbortSignal,
): Promise<void> {
  const file = await draft.open(expected.name);
  const hash = createHash("sha256");
  try {
    for await (const bytes of partsOf(file, signal)) hash.update(bytes);
  } finally {
    await file.close();
  }
  if (hash.digest("hex") !== expected.sha256)
    throw new StorageError("STORAGE_UNAVAILABLE", "The storage gave back other bytes than it was given.");
}

/** The whole file in its order; the next part is being read while one is worked on. */
export async function* partsOf(file: RangeReader, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const read = (at: number) => {
    const part = at < file.size ? file.read(at, Math.min(readBytes, file.size - at), signal) : null;
    part?.catch(() => {});
    return part;
  };
  let next = read(0);
  for (let at = 0; next; ) {
    const part: Uint8Array = await next;
    at += part.length;
    next = read(at);
    yield part;
  }
}
