// Reads any range of an age payload's plaintext: only the chunks it touches are fetched, and each is checked before it is used.
import type { Engine } from "../engine/engine.ts";
import { ArtifactError } from "../errors.ts";
import type { RangeReader } from "../storage/storage.ts";
import { chunkBytes, chunkNonce, payloadKeyInfo, payloadNonceBytes, storedChunkBytes, tagBytes } from "./chunk.ts";

export interface SealedPayload {
  readonly file: RangeReader;
  /** Bytes in front of the payload. */
  readonly headerBytes: number;
  readonly fileKey: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

export class PayloadRanges {
  /** Length of the plaintext, vouched for by the last chunk. */
  readonly size: number;
  readonly #engine: Engine;
  readonly #file: RangeReader;
  readonly #key: Uint8Array;
  readonly #start: number;
  readonly #chunks: number;
  /** The chunk read last: the next range often begins in it. */
  #cached: { readonly index: number; readonly bytes: Uint8Array } | null = null;

  private constructor(engine: Engine, file: RangeReader, key: Uint8Array, start: number) {
    const stored = file.size - start;
    this.#engine = engine;
    this.#file = file;
    this.#key = key;
    this.#start = start;
    this.#chunks = Math.max(1, Math.ceil(stored / storedChunkBytes));
    this.size = stored - this.#chunks * tagBytes;
  }

  /** The last chunk is checked here, before any length is trusted: a file that was cut or lengthened has another last chunk. */
  static async open(engine: Engine, sealed: SealedPayload): Promise<PayloadRanges> {
    const { file, headerBytes, fileKey, signal } = sealed;
    const start = headerBytes + payloadNonceBytes;
    if (file.size < start + tagBytes) throw new ArtifactError("ARTIFACT_CORRUPT", "The stored bytes end too early.");
    const nonce = await file.read(headerBytes, payloadNonceBytes, signal);
    const payload = new PayloadRanges(engine, file, engine.deriveKey(fileKey, nonce, payloadKeyInfo), start);
    const lastStart = (payload.#chunks - 1) * chunkBytes;
    // Only an empty payload may end in an empty chunk.
    if (payload.size <= lastStart && payload.#chunks > 1)
      throw new ArtifactError("ARTIFACT_CORRUPT", "The stored bytes have an impossible length.");
    await payload.read(lastStart, payload.size - lastStart, signal);
    return payload;
  }

  /** Exactly `length` bytes from `position`, which must lie inside the payload, by one read of the file at most. */
  async read(position: number, length: number, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const range = new Uint8Array(length);
    const first = Math.floor(position / chunkBytes);
    const last = Math.max(first, Math.ceil((position + length) / chunkBytes) - 1);
    const cached = this.#cached?.index === first ? this.#cached.bytes : null;
    if (cached) range.set(cached.subarray(position - first * chunkBytes, position - first * chunkBytes + length));
    const from = cached ? first + 1 : first;
    if (from > last) return range;
    const stored = await this.#fetch(from, last, signal);
    for (let index = from; index <= last; index++) {
      const at = (index - from) * storedChunkBytes;
      const chunk = stored.subarray(at, at + storedChunkBytes);
      const start = index * chunkBytes - position;
      const end = start + chunk.length - tagBytes;
      // What lies wholly in the range is opened in its place. The last chunk is kept, so it has a place of its own.
      if (start >= 0 && end <= length && index < last) this.#open(chunk, index, range.subarray(start, end));
      else this.#openAside(chunk, index, range, start);
    }
    return range;
  }

  #openAside(stored: Uint8Array, index: number, range: Uint8Array, start: number): void {
    const chunk = new Uint8Array(stored.length - tagBytes);
    this.#open(stored, index, chunk);
    range.set(chunk.subarray(Math.max(0, -start), Math.max(0, range.length - start)), Math.max(0, start));
    this.#cached = { index, bytes: chunk };
  }

  #open(stored: Uint8Array, index: number, target: Uint8Array): void {
    const nonce = chunkNonce(index, index === this.#chunks - 1);
    if (this.#engine.openChunk(this.#key, nonce, stored, target)) return;
    const message = "The stored bytes are damaged: a part of them was changed after it was sealed.";
    throw new ArtifactError("ARTIFACT_CORRUPT", message, { chunk: index });
  }

  #fetch(first: number, last: number, signal?: AbortSignal): Promise<Uint8Array> {
    const from = this.#start + first * storedChunkBytes;
    const to = Math.min(this.#file.size, this.#start + (last + 1) * storedChunkBytes);
    return this.#file.read(from, to - from, signal);
  }
}
