// Reads any range of an age payload's plaintext: only the chunks it touches are fetched, and each is checked before it is used.
import { ArtifactError } from "../errors.ts";
import type { RangeReader } from "../storage/storage.ts";
import {
  chunkBytes,
  chunkNonce,
  openChunk,
  payloadKey,
  payloadNonceBytes,
  storedChunkBytes,
  tagBytes,
} from "./payload.ts";

export class PayloadReader {
  /** Length of the plaintext, vouched for by the last chunk. */
  readonly size: number;
  readonly #file: RangeReader;
  readonly #key: Uint8Array;
  readonly #start: number;
  readonly #chunks: number;
  /** The chunk read last: the next range often begins in it. */
  #cached: { readonly index: number; readonly bytes: Buffer } | null = null;

  private constructor(file: RangeReader, key: Uint8Array, start: number) {
    const stored = file.size - start;
    this.#file = file;
    this.#key = key;
    this.#start = start;
    this.#chunks = Math.max(1, Math.ceil(stored / storedChunkBytes));
    this.size = stored - this.#chunks * tagBytes;
  }

  /**
   * Opens the payload that follows a header of `headerBytes`. The last chunk is checked here, before any length is trusted: a file
   * that was cut or lengthened has another last chunk.
   */
  static async open(
    file: RangeReader,
    headerBytes: number,
    fileKey: Uint8Array,
    signal?: AbortSignal,
  ): Promise<PayloadReader> {
    const start = headerBytes + payloadNonceBytes;
    if (file.size < start + tagBytes) throw new ArtifactError("ARTIFACT_CORRUPT", "The stored bytes end too early.");
    const key = payloadKey(fileKey, await file.read(headerBytes, payloadNonceBytes, signal));
    const payload = new PayloadReader(file, key, start);
    const lastStart = (payload.#chunks - 1) * chunkBytes;
    // Only an empty payload may end in an empty chunk.
    if (payload.size <= lastStart && payload.#chunks > 1)
      throw new ArtifactError("ARTIFACT_CORRUPT", "The stored bytes have an impossible length.");
    await payload.read(lastStart, payload.size - lastStart, signal);
    return payload;
  }

  /** Exactly `length` bytes from `position`, which must lie inside the payload. */
  async read(position: number, length: number, signal?: AbortSignal): Promise<Buffer> {
    const range = Buffer.allocUnsafe(length);
    const first = Math.floor(position / chunkBytes);
    const last = Math.max(first, Math.ceil((position + length) / chunkBytes) - 1);
    const cached = this.#cached?.index === first ? this.#cached.bytes : null;
    const fetchFrom = cached ? first + 1 : first;
    const stored = fetchFrom <= last ? await this.#fetch(fetchFrom, last, signal) : null;
    let filled = 0;
    for (let index = first; index <= last; index++) {
      const chunk = index === first && cached ? cached : this.#openChunk(stored as Uint8Array, index, fetchFrom);
      const skip = index === first ? position - first * chunkBytes : 0;
      filled += chunk.copy(range, filled, skip, Math.min(chunk.length, skip + length - filled));
      if (index === last) this.#cached = { index, bytes: chunk };
    }
    return range;
  }

  async #fetch(first: number, last: number, signal?: AbortSignal): Promise<Uint8Array> {
    const from = this.#start + first * storedChunkBytes;
    const to = Math.min(this.#file.size, this.#start + (last + 1) * storedChunkBytes);
    return this.#file.read(from, to - from, signal);
  }

  #openChunk(stored: Uint8Array, index: number, fetchedFrom: number): Buffer {
    const at = (index - fetchedFrom) * storedChunkBytes;
    const nonce = chunkNonce(index, index === this.#chunks - 1);
    return openChunk(this.#key, nonce, stored.subarray(at, at + storedChunkBytes));
  }
}
