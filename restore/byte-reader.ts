// Reads a stream of chunks by length: so many bytes now, so many more as they come.
import { ArtifactError } from "#artifact/node";

export class ByteReader implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes; meant for little. */
  async read(length: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.stream(length)) pieces.push(piece);
    return Buffer.concat(pieces, length);
  }

  /** The next `length` bytes, in chunks as they come. */
  async *stream(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      const chunk = await this.#next();
      if (chunk === null) throw new ArtifactError("ARTIFACT_CORRUPT", "The archive ends in the middle of an entry.");
      this.#rest = chunk.subarray(left);
      const piece = chunk.subarray(0, left);
      left -= piece.length;
      yield piece;
    }
  }

  async *remainder(): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.#next(); chunk !== null; chunk = await this.#next()) {
      this.#rest = chunk.subarray(chunk.length);
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<Uint8Array | null> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done) return null;
      this.#rest = next.value;
    }
    return this.#rest;
  }
}
