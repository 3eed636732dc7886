// Reads a file of a draft back from the storage: a write is done when what comes back is what went in.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { StorageError } from "./errors.ts";
import { pieceBytes } from "./manifest.ts";
import { partsOf } from "./storage/file-parts.ts";
import type { Draft } from "./storage/storage.ts";
import type { Written } from "./tally.ts";

/**
 * The SHA-256 of the whole file as it came back. It is held against the checksums of what was sent: they find what a storage does to
 * bytes by accident, and a second hash while sealing would cost as much again as the encryption. Throws `StorageError`
 * `STORAGE_UNAVAILABLE` where the bytes are others.
 */
export async function readBack(draft: Draft, name: string, written: Written, signal: AbortSignal): Promise<string> {
  const file = await draft.open(name);
  const whole = createHash("sha256");
  let checksum = 0;
  let bytes = 0;
  try {
    if (file.size !== written.storedBytes) throw otherBytes();
    for await (const part of partsOf(file, signal)) {
      whole.update(part);
      for (let at = 0; at < part.length; ) {
        const taken = part.subarray(at, at + pieceBytes - (bytes % pieceBytes));
        checksum = crc32(taken, checksum);
        bytes += taken.length;
        at += taken.length;
        if (bytes % pieceBytes > 0 && bytes < file.size) continue;
        if (checksum !== written.checksums[Math.ceil(bytes / pieceBytes) - 1]) throw otherBytes();
        checksum = 0;
      }
    }
  } finally {
    await file.close();
  }
  return whole.digest("hex");
}

/** For what is small enough to be hashed as it is written. Throws as `readBack`. */
export async function checkReadBack(
  draft: Draft,
  expected: { readonly name: string; readonly sha256: string },
  signal: AbortSignal,
): Promise<void> {
  const file = await draft.open(expected.name);
  const hash = createHash("sha256");
  try {
    for await (const part of partsOf(file, signal)) hash.update(part);
  } finally {
    await file.close();
  }
  if (hash.digest("hex") !== expected.sha256) throw otherBytes();
}

function otherBytes(): StorageError {
  return new StorageError("STORAGE_UNAVAILABLE", "The storage gave back other bytes than it was given.");
}
