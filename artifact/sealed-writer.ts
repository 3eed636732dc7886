// Makes one sealed file: a stream of plaintext goes in, frames inside an age file go out to the storage.
import { hash, randomBytes } from "node:crypto";
import { payloadNonceBytes } from "./age/chunk.ts";
import { sealHeader } from "./age/header.ts";
import { payloadKey } from "./age/payload.ts";
import { PayloadWriter } from "./age/payload-writer.ts";
import type { SealedFile } from "./manifest.ts";
import type { Upload } from "./storage/storage.ts";
import type { StoredBytes } from "./stored-bytes.ts";
import { Tally, type Written } from "./tally.ts";
import { FrameWriter } from "./zstd/frame-writer.ts";
import { encodeSeekTable } from "./zstd/seek-table.ts";

export interface SealedWriterOptions {
  readonly upload: Upload;
  readonly recipients: readonly string[];
  readonly frameBytes: number;
  readonly level: number;
  /** Called once where the file cannot be written any further. */
  readonly fail: (error: unknown) => void;
  readonly stored: StoredBytes;
}

/** All that can be said of a file before it was read back. */
export type SealedBytes = Omit<SealedFile, "name" | "sha256"> & Written;

export interface SealedWriter extends Disposable {
  readonly frames: FrameWriter;
  /** Ends the frames with their seek table, makes the file durable and tells what it came to. */
  end(): Promise<SealedBytes>;
}

export async function openSealedWriter(options: SealedWriterOptions): Promise<SealedWriter> {
  const { upload, recipients, frameBytes, level, fail, stored } = options;
  const { header, fileKey } = await sealHeader(recipients);
  const nonce = randomBytes(payloadNonceBytes);
  const tally = new Tally();
  const payload = new PayloadWriter(payloadKey(fileKey, nonce), Buffer.concat([header, nonce]), async (part) => {
    tally.update(part);
    await upload.send(part);
    stored.add(part.length);
  });
  const frames = new FrameWriter({ frameBytes, level, fail, emit: (frame) => payload.write(frame) });

  return {
    frames,
    async end() {
      await frames.end();
      await payload.write(encodeSeekTable(frames.frames));
      await payload.end();
      await upload.finish();
      return {
        plainBytes: frames.plainBytes,
        frames: frames.frames.length,
        headerBytes: header.length,
        headerSha256: hash("sha256", header),
        ...tally.end(),
      };
    },
    [Symbol.dispose]: () => frames[Symbol.dispose](),
  };
}
