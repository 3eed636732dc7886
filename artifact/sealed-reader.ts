// Opens one sealed file: checks its header, its end and its table of frames, then gives its plaintext back frame by frame.
import { hash } from "node:crypto";
import { maxHeaderBytes, openHeader } from "./age/header.ts";
import { PayloadReader } from "./age/payload-reader.ts";
import { ArtifactError } from "./errors.ts";
import type { SealedFile } from "./manifest.ts";
import type { RangeReader } from "./storage/storage.ts";
import { decompressFrame } from "./zstd/decompress.ts";
import { FrameIndex, footerBytes, maxTableBytes, seekTableBytes } from "./zstd/seek-table.ts";

/** Frames being decompressed while the consumer works on the one before. */
const framesAhead = 2;

export class SealedReader {
  readonly index: FrameIndex;
  readonly #file: RangeReader;
  readonly #payload: PayloadReader;
  readonly #signal: AbortSignal | undefined;

  private constructor(file: RangeReader, payload: PayloadReader, index: FrameIndex, signal?: AbortSignal) {
    this.#file = file;
    this.#payload = payload;
    this.index = index;
    this.#signal = signal;
  }

  /**
   * Takes `file` over. `facts` are the manifest's: its hash of the header tells damage from a wrong key before any key is tried.
   * Throws `ArtifactError`: `KEY_UNAVAILABLE`, `LIMIT_EXCEEDED` where more is inside than the manifest says, else `ARTIFACT_CORRUPT`.
   */
  static async open(
    file: RangeReader,
    facts: SealedFile,
    identities: readonly string[],
    signal?: AbortSignal,
  ): Promise<SealedReader> {
    try {
      if (file.size !== facts.storedBytes) throw damaged(facts, "its length is not the one in the manifest");
      const header = await file.read(0, Math.min(facts.headerBytes, maxHeaderBytes, file.size), signal);
      if (hash("sha256", header) !== facts.headerSha256) throw damaged(facts, "its header was changed");
      const payload = await PayloadReader.open(file, header.length, await openHeader(header, identities), signal);
      return new SealedReader(file, payload, await readIndex(payload, facts, signal), signal);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Every frame's plaintext in its order, each once all of it is verified. */
  async *frames(): AsyncGenerator<Buffer> {
    const ahead: { readonly plain: Promise<Buffer> }[] = [];
    for (let next = 0; next < this.index.count || ahead.length > 0; ) {
      if (next < this.index.count && ahead.length < framesAhead) {
        ahead.push(await this.#begin(next));
        next += 1;
        continue;
      }
      const first = ahead.shift();
      if (first) yield await first.plain;
    }
  }

  /** Resolves when the frame is fetched and decrypted, or will not be; it is decompressed in the background. */
  async #begin(index: number): Promise<{ readonly plain: Promise<Buffer> }> {
    const { storedStart, storedBytes, plainBytes } = this.index.frame(index);
    const frame = this.#payload.read(storedStart, storedBytes, this.#signal);
    const plain = frame.then((bytes) => decompressFrame(bytes, plainBytes));
    // A failure is told in its turn: the frames in front of it are whole. Whoever stops there never learns of it, and need not.
    plain.catch(() => {});
    await frame.catch(() => {});
    return { plain };
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function readIndex(payload: PayloadReader, facts: SealedFile, signal?: AbortSignal): Promise<FrameIndex> {
  if (payload.size < footerBytes) throw damaged(facts, "it has no table of frames");
  const tableBytes = seekTableBytes(await payload.read(payload.size - footerBytes, footerBytes, signal));
  if (tableBytes > Math.min(payload.size, maxTableBytes)) throw damaged(facts, "its table of frames is too long");
  const index = new FrameIndex(await payload.read(payload.size - tableBytes, tableBytes, signal));
  if (index.storedBytes + tableBytes !== payload.size || index.count !== facts.frames)
    throw damaged(facts, "its table of frames does not fit");
  if (index.plainBytes > facts.plainBytes)
    throw new ArtifactError("LIMIT_EXCEEDED", "More is in the backup than its manifest says.", { file: facts.name });
  if (index.plainBytes < facts.plainBytes) throw damaged(facts, "less is in it than the manifest says");
  return index;
}

function damaged(facts: SealedFile, reason: string): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `${facts.name} is damaged: ${reason}.`, { file: facts.name });
}
