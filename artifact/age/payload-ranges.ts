// Reads any range of an age payload's plaintext: only the chunks it touches are fetched, and each is checked before it is used.
import type { ChunkOpener, Engine } from "../engine/engine.ts";
import { ArtifactError, StorageError } from "../errors.ts";
import type { RangeReader } from "../storage/storage.ts";
import { chunkBytes, chunkNonce, payloadKeyInfo, payloadNonceBytes, storedChunkBytes, tagBytes } from "./chunk.ts";

/** More than any frame takes. */
const maxMemoryBytes = 16_777_216;
const memoryStep = 1_048_576;

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
  readonly #file: RangeReader;
  readonly #openChunk: ChunkOpener;
  readonly #start: number;
  readonly #chunks: number;
  /** What is fetched goes through the same memory again and again: as garbage it would cost as much time as opening it. */
  #memory: Uint8Array | null = new Uint8Array();
  /** The chunk read last: the next range often begins in it. */
  #cached: { readonly index: number; readonly bytes: Uint8Array } | null = null;

  private constructor(file: RangeReader, openChunk: ChunkOpener, start: number) {
    const stored = file.size - start;
    this.#file = file;
    this.#openChunk = openChunk;
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
    const key = engine.deriveKey(fileKey, nonce, payloadKeyInfo);
    const payload = new PayloadRanges(file, engine.chunkOpener(key), start);
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
    const memory = this.#takeMemory((last + 1 - from) * storedChunkBytes);
    const stored = await this.#fetch(from, last, signal, memory);
    for (let index = from; index <= last; index++) {
      const at = (index - from) * storedChunkBytes;
      const chunk = stored.subarray(at, at + storedChunkBytes);
      const start = index * chunkBytes - position;
      const end = start + chunk.length - tagBytes;
      // What lies wholly in the range is opened in its place. The last chunk is kept, so it has a place of its own.
      if (start >= 0 && end <= length && index < last) this.#open(chunk, index, range.subarray(start, end));
      else this.#openAside(chunk, index, range, start);
    }
    if (stored.buffer === memory?.buffer) this.#memory = memory;
    return range;
  }

  /** Undefined where the file has not taken it before, while another read has it, and for what is longer than any frame. */
  #takeMemory(length: number): Uint8Array | undefined {
    const memory = this.#memory;
    if (!memory || length > maxMemoryBytes) return undefined;
    this.#memory = null;
    return memory.length >= length ? memory : new Uint8Array(Math.ceil(length / memoryStep) * memoryStep);
  }

  #openAside(stored: Uint8Array, index: number, range: Uint8Array, start: number): void {
    const chunk = new Uint8Array(stored.length - tagBytes);
    this.#open(stored, index, chunk);
    range.set(chunk.subarray(Math.max(0, -start), Math.max(0, range.length - start)), Math.max(0, start));
    this.#cached = { index, bytes: chunk };
  }

  #open(stored: Uint8Array, index: number, target: Uint8Array): void {
    const nonce = chunkNonce(index, index === this.#chunks - 1);
    if (this.#openChunk(nonce, stored, target)) return;
    const message = "The stored bytes are damaged: a part of them was changed after it was sealed.";
    throw new ArtifactError("ARTIFACT_CORRUPT", message, { chunk: index });
  }

  async #fetch(first: number, last: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> {
    const from = this.#start + first * storedChunkBytes;
    const to = Math.min(this.#file.size, this.#start + (last + 1) * storedChunkBytes);
    const stored = await this.#file.read(from, to - from, signal, into);
    if (stored.length === to - from) return stored;
    throw new StorageError(
      "STORAGE_UNAVAILABLE",
      "The storage gave back another number of bytes than it was asked for.",
    );
  }
}
