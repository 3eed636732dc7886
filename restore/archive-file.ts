// Writes the plaintext of one download into its file: counted, hashed, bounded, and only as fast as the disk takes it.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { PreparationError } from "./failure.ts";

/** Small pieces are gathered to this size, so that a tree of small files costs few writes. */
const batchBytes = 256 * 1024;

export interface ArchiveFile {
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface ArchiveLimits {
  /** Infinity: none. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Called with the bytes written so far. */
  readonly onWritten: (bytes: number) => void;
}

/** Durable when it resolves; written over when it is called again. Throws `PreparationError` `QUOTA_EXCEEDED` past `maxBytes`, and whatever the content or the disk throws. */
export async function writeArchive(
  path: string,
  content: AsyncIterable<Uint8Array>,
  { maxBytes, signal, onWritten }: ArchiveLimits,
): Promise<ArchiveFile> {
  const hash = createHash("sha256");
  let size = 0;
  async function* measured() {
    for await (const batch of batches(content)) {
      signal.throwIfAborted();
      size += batch.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      hash.update(batch);
      yield batch;
      onWritten(size);
    }
  }
  await using file = await open(path, "w", 0o600);
  await file.writeFile(measured());
  await file.sync();
  return { size, sha256: hash.digest("hex") };
}

export function tooLarge(maxBytes: number): PreparationError {
  const mebibytes = Math.floor(maxBytes / 1_048_576);
  const limit = mebibytes > 0 ? `${mebibytes} MiB` : `${maxBytes} bytes`;
  return new PreparationError("QUOTA_EXCEEDED", `A download may have ${limit} at most here: select fewer paths.`);
}

async function* batches(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  for await (const piece of content) {
    gathered.push(piece);
    length += piece.length;
    if (length < batchBytes) continue;
    yield gathered.length === 1 ? piece : Buffer.concat(gathered, length);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered, length);
}
