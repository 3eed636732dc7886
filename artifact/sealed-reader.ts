// Opens one sealed file: checks its header, its end and its table of frames, then gives back the frames that are asked for.
import { maxHeaderBytes, openHeader } from "./age/header-opening.ts";
import { PayloadRanges } from "./age/payload-ranges.ts";
import { giveBack } from "./bytes.ts";
import type { Engine } from "./engine/engine.ts";
import { ArtifactError } from "./errors.ts";
import type { SealedFile } from "./manifest.ts";
import type { RangeReader } from "./storage/storage.ts";
import type { Piece } from "./tar/byte-queue.ts";
import { decompressFrame } from "./zstd/decompress.ts";
import { FrameIndex, footerBytes, maxTableBytes, seekTableBytes } from "./zstd/seek-table.ts";

/** Frames being decompressed while the consumer works on the one before. */
const framesAhead = 2;
/** Marks among them: as many small files as one frame may hold, and more. */
const stepsAhead = 32_768;

export interface SealedReaderOptions {
  readonly identities: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** The number of a frame to be read, or a mark that is handed on in its place among the frames. */
export type Step<Mark> = { readonly frame: number } | { readonly mark: Mark };

export class SealedReader {
  readonly index: FrameIndex;
  readonly #engine: Engine;
  readonly #file: RangeReader;
  readonly #payload: PayloadRanges;
  readonly #signal: AbortSignal | undefined;

  private constructor(
    engine: Engine,
    file: RangeReader,
    payload: PayloadRanges,
    index: FrameIndex,
    signal?: AbortSignal,
  ) {
    this.#engine = engine;
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
    engine: Engine,
    file: RangeReader,
    facts: SealedFile,
    { identities, signal }: SealedReaderOptions,
  ): Promise<SealedReader> {
    try {
      if (file.size !== facts.storedBytes) throw damaged(facts, "its length is not the one in the manifest");
      const header = await file.read(0, Math.min(facts.headerBytes, maxHeaderBytes, file.size), signal);
      if (engine.sha256(header) !== facts.headerSha256) throw damaged(facts, "its header was changed");
      const fileKey = await openHeader(header, identities);
      const payload = await PayloadRanges.open(engine, { file, headerBytes: header.length, fileKey, signal });
      return new SealedReader(engine, file, payload, await readIndex(payload, facts, signal), signal);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Every frame's plaintext in its order, each once all of it is verified. */
  async *frames(): AsyncGenerator<Piece> {
    for await (const step of this.follow(allFrames(this.index.count))) if ("frame" in step) yield step.frame;
  }

  /** The frames that `plan` asks for, each read once and by one range, with the marks between them. `plan` runs a little ahead. */
  async *follow<Mark>(
    plan: AsyncGenerator<Step<Mark>>,
  ): AsyncGenerator<{ readonly frame: Piece } | { readonly mark: Mark }> {
    const ahead: ({ readonly begun: Promise<Piece> } | { readonly mark: Mark })[] = [];
    let framesBegun = 0;
    try {
      for (let ended = false; !ended || ahead.length > 0; ) {
        if (!ended && framesBegun < framesAhead && ahead.length < stepsAhead) {
          const { done, value } = await plan.next();
          if (done) ended = true;
          else if ("mark" in value) ahead.push(value);
          else {
            ahead.push(await this.#begin(value.frame));
            framesBegun += 1;
          }
          continue;
        }
        const next = ahead.shift();
        if (!next) continue;
        if ("mark" in next) yield next;
        else {
          framesBegun -= 1;
          yield { frame: await next.begun };
        }
      }
    } finally {
      await plan.return(undefined);
    }
  }

  /** Resolves when the frame is fetched and decrypted, or will not be; it is decompressed in the background. */
  async #begin(index: number): Promise<{ readonly begun: Promise<Piece> }> {
    const { storedStart, storedBytes, plainStart, plainBytes } = this.index.frame(index);
    const frame = this.#payload.read(storedStart, storedBytes, this.#signal);
    const begun = frame.then(async (compressed) => {
      const bytes = await decompressFrame(this.#engine, compressed, plainBytes);
      giveBack(compressed);
      return { start: plainStart, bytes };
    });
    // A failure is told in its turn: the frames in front of it are whole. Whoever stops there never learns of it, and need not.
    begun.catch(() => {});
    await frame.catch(() => {});
    return { begun };
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function* allFrames(count: number): AsyncGenerator<Step<never>> {
  for (let frame = 0; frame < count; frame++) yield { frame };
}

async function readIndex(payload: PayloadRanges, facts: SealedFile, signal?: AbortSignal): Promise<FrameIndex> {
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
