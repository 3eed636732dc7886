// Writes a file that is there whole or not at all.
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { CommandError, reasonOf } from "./failure.ts";

/** The file is readable by its owner alone. Throws `CommandError`, or what `chunks` throw, and leaves nothing behind then. */
export async function saveFile(path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`;
  try {
    // On the disk, not merely in its cache, before it gets its name.
    const file = createWriteStream(partial, { flags: "wx", mode: 0o600, flush: true, highWaterMark: 1024 * 1024 });
    await pipeline(chunks, file, { signal });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    if (isSystemError(error))
      throw new CommandError(`${path} cannot be written: ${reasonOf(error)}.`, { cause: error });
    throw error;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
