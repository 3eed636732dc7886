// A stream in lengths of its reader's choice: without copying where they lie in one chunk, and without waiting where they are at hand.
import { Buffer } from "node:buffer";

/** Longest stretch that is put together from several chunks. */
export const mostGathered = 1024 * 1024;

/** What `take` and `next` answer is its reader's until the next call of anything here. */
export class ChunkQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #scratch: Buffer | null = null;

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  /** `length` bytes, if they are at hand in one piece. */
  takeNow(length: number): Buffer | null {
    const end = this.#at + length;
    if (end > this.#chunk.length) return null;
    const bytes = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** `length` bytes, `mostGathered` at most; null where the stream ends before. */
  async take(length: number): Promise<Buffer | null> {
    const now = this.takeNow(length);
    if (now) return now;
    this.#scratch ??= Buffer.allocUnsafeSlow(mostGathered);
    for (let filled = 0; filled < length; ) {
      const piece = await this.next(length - filled);
      if (!piece) return null;
      piece.copy(this.#scratch, filled);
      filled += piece.length;
    }
    return this.#scratch.subarray(0, length);
  }

  /** At least one byte, `most` at most; null at the end of the stream. */
  async next(most: number): Promise<Buffer | null> {
    while (this.#at === this.#chunk.length) {
      const { done, value } = await this.#source.next();
      if (done) return null;
      this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      this.#at = 0;
    }
    return this.takeNow(Math.min(most, this.#chunk.length - this.#at));
  }

  /** False where the stream ends before. */
  async skip(length: number): Promise<boolean> {
    for (let left = length; left > 0; ) {
      const passed = await this.next(left);
      if (!passed) return false;
      left -= passed.length;
    }
    return true;
  }
}
