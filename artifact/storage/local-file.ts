// Files of a local file system, read and written to the last byte, with its errors told in the storage's own terms.
import type { FileHandle } from "node:fs/promises";
import { StorageError } from "../errors.ts";
import type { RangeReader } from "./storage.ts";

const fullDiskCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const missingCodes = new Set(["ENOENT", "ENOTDIR"]);
const fileNamePattern = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;

/** Runs file system calls; what they throw leaves as a `StorageError`, a missing file as one with the code `missing`. */
export async function translated<T>(
  calls: () => Promise<T>,
  missing: StorageError["code"] = "STORAGE_UNAVAILABLE",
): Promise<T> {
  try {
    return await calls();
  } catch (cause) {
    if (cause instanceof StorageError || !(cause instanceof Error) || !("syscall" in cause)) throw cause;
    throw storageError(cause, missing);
  }
}

function storageError(cause: Error & { code?: unknown }, missing: StorageError["code"]): StorageError {
  const code = String(cause.code);
  if (fullDiskCodes.has(code)) return new StorageError("DISK_FULL", "The storage has no room left.", { cause });
  if (missingCodes.has(code)) return new StorageError(missing, "The storage has no such file or directory.", { cause });
  return new StorageError("STORAGE_UNAVAILABLE", `The storage failed (${code}).`, { cause });
}

/** Throws `RangeError` for a name that could mean anything but a file in the directory at hand. */
export function checkFileName(name: string): void {
  if (!fileNamePattern.test(name)) throw new RangeError("not a file name");
}

/** Writes go through in pieces where the system takes less than it was given. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** Closing the reader closes the handle. */
export async function fileReader(handle: FileHandle): Promise<RangeReader> {
  const { size } = await translated(() => handle.stat());
  return {
    size,
    async read(position, length, signal, into) {
      signal?.throwIfAborted();
      const bytes = into ? into.subarray(0, length) : Buffer.allocUnsafe(length);
      for (let filled = 0; filled < length; ) {
        const { bytesRead } = await translated(() => handle.read(bytes, filled, length - filled, position + filled));
        if (bytesRead === 0) throw new StorageError("NOT_STORED", `The file ends before byte ${position + length}.`);
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => translated(() => handle.close()),
  };
}
