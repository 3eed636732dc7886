// Reads a file of a draft back from the storage: a write is done when what comes back is what went in.
import { createHash } from "node:crypto";
import { StorageError } from "./errors.ts";
import { partsOf } from "./storage/file-parts.ts";
import type { Draft } from "./storage/storage.ts";

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
