// Writes a download to a file that is there whole or not at all.
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { readDownload } from "../api/download.ts";
import { CommandError, reasonOf } from "./failure.ts";
import type { ShownStep } from "./job-view.ts";
import type { ProgressDisplay } from "./progress-display.ts";

const tellingIntervalMs = 100;

export interface SaveOptions {
  readonly link: string;
  readonly path: string;
  /** How long the file has to be. */
  readonly expectedBytes: number;
  /** Shows how far it is. */
  readonly display: ProgressDisplay;
  readonly signal: AbortSignal;
}

/** The file is readable by its owner alone. Throws `CommandError` or `DownloadError`, and leaves nothing behind then. */
export async function saveDownload({ link, path, expectedBytes, display, signal }: SaveOptions): Promise<void> {
  const partial = `${path}.${randomUUID().slice(0, 8)}.partial`;
  let bytes = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  async function* counted(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
      if (performance.now() - toldAtMs < tellingIntervalMs) continue;
      toldAtMs = performance.now();
      display.show(stepOf(bytes, expectedBytes));
    }
  }
  try {
    // On the disk, not merely in its cache, before it gets its name.
    const file = createWriteStream(partial, { flags: "wx", mode: 0o600, flush: true, highWaterMark: 1024 * 1024 });
    await pipeline(readDownload(link, { signal }), counted, file);
    if (bytes !== expectedBytes)
      throw new CommandError(`The download has ${bytes} bytes instead of ${expectedBytes}: restore it again.`);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    if (isSystemError(error))
      throw new CommandError(`${path} cannot be written: ${reasonOf(error)}.`, { cause: error });
    throw error;
  }
}

/** As a job would have it whose work is one file. */
function stepOf(bytes: number, total: number): ShownStep {
  const counts = { bytesDone: String(bytes), bytesTotal: String(total), filesDone: 0, filesTotal: 1, storedBytes: "0" };
  const job = { status: "RUNNING", attempt: 1 } as const;
  return { job, event: null, progress: { phase: "DOWNLOADING", ...counts, currentPath: null } };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
