// Keeps the frames of one content of unknown length until its length is known: on disk, but sealed with a key that only lives here.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { payloadNonceBytes } from "./age/chunk.ts";
import { payloadKey } from "./age/payload.ts";
import { PayloadRanges } from "./age/payload-ranges.ts";
import { PayloadWriter } from "./age/payload-writer.ts";
import { nativeEngine } from "./engine/native-engine.ts";
import { fileReader, translated, writeFully } from "./storage/local-file.ts";
import type { StoredBytes } from "./stored-bytes.ts";
import { FrameWriter } from "./zstd/frame-writer.ts";
import type { FrameSize } from "./zstd/seek-table.ts";

export interface SpoolOptions {
  /** Made where it does not exist. */
  readonly directory: string;
  readonly frameBytes: number;
  readonly level: number;
  readonly fail: (error: unknown) => void;
  readonly stored: StoredBytes;
}

export interface Spool extends AsyncDisposable {
  readonly frames: FrameWriter;
  /** To be called once, when the content has ended. */
  finish(): Promise<void>;
  /** The compressed frames one after another, given their sizes in the order of `frames.frames`. */
  next(size: FrameSize): Promise<Uint8Array>;
}

/** Its file has no name any more when this resolves: whatever ends the process ends the file. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { directory, frameBytes, level, fail, stored } = options;
  const path = join(directory, `.spool-${randomUUID()}`);
  const handle = await translated(async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const opened = await open(path, "wx+", 0o600);
    await unlink(path);
    return opened;
  });
  const fileKey = randomBytes(32);
  const nonce = randomBytes(payloadNonceBytes);
  let spooled = 0;
  const payload = new PayloadWriter(payloadKey(fileKey, nonce), nonce, async (part) => {
    await translated(() => writeFully(handle, part, spooled));
    spooled += part.length;
    stored.spool(part.length);
  });
  const frames = new FrameWriter({ frameBytes, level, fail, emit: (frame) => payload.write(frame) });
  let written: PayloadRanges | null = null;
  let position = 0;

  return {
    frames,
    async finish() {
      await frames.end();
      await payload.end();
      written = await PayloadRanges.open(nativeEngine, { file: await fileReader(handle), headerBytes: 0, fileKey });
    },
    async next({ storedBytes }) {
      if (!written) throw new TypeError("the spool is not finished");
      const frame = await written.read(position, storedBytes);
      position += storedBytes;
      return frame;
    },
    async [Symbol.asyncDispose]() {
      stored.unspool();
      frames[Symbol.dispose]();
      await handle.close();
    },
  };
}
