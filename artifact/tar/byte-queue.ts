// Hands a stream out in lengths that its reader chooses, copying only across the borders of its pieces.
import { ArtifactError } from "../errors.ts";

export class ByteQueue implements AsyncDisposable {
  /** Bytes handed out so far. */
  position = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes. Throws `ArtifactError` `ARTIFACT_CORRUPT` where the stream ends before. */
  async take(length: number): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array();
    const first = await this.next(length);
    if (first.length === length) return first;
    const taken = Buffer.allocUnsafe(length);
    taken.set(first);
    for (let filled = first.length; filled < length; ) {
      const more = await this.next(length - filled);
      taken.set(more, filled);
      filled += more.length;
    }
    return taken;
  }

  /** At least one byte and `most` at most, without copying. Throws as `take` does. */
  async next(most: number): Promise<Uint8Array> {
    if (await this.isAtEnd()) throw new ArtifactError("ARTIFACT_CORRUPT", "The archive in the backup ends too early.");
    const bytes = this.#piece.subarray(0, most);
    this.#piece = this.#piece.subarray(bytes.length);
    this.position += bytes.length;
    return bytes;
  }

  async skipTo(position: number): Promise<void> {
    while (this.position < position) await this.next(position - this.position);
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) return true;
      this.#piece = value;
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }
}
