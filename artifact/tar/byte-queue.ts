// Hands a stream out in lengths that its reader chooses, copying only across the borders of its pieces.
import { giveBack } from "../bytes.ts";
import { ArtifactError } from "../errors.ts";

/** A stretch of a stream. Where a reader skips, the stretches it skips may be missing. */
export interface Piece {
  /** Where in the stream it starts. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

export interface ReadOptions {
  /**
   * Contents may be looked at only until the next piece or entry is asked for: their memory is given back then, and not left to the
   * garbage collector. For whoever is done with them at once.
   */
  readonly transient?: boolean;
}

export class ByteQueue {
  readonly #source: AsyncIterator<Piece>;
  readonly #transient: boolean;
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  #at = 0;

  constructor(source: AsyncIterator<Piece>, { transient = false }: ReadOptions = {}) {
    this.#source = source;
    this.#transient = transient;
  }

  /** In the stream. */
  get position(): number {
    return this.#start + this.#at;
  }

  /** The next `length` bytes, which stay where they are, if all of them are in memory. */
  peek(length: number): Uint8Array | null {
    return this.#bytes.length - this.#at < length ? null : this.#bytes.subarray(this.#at, this.#at + length);
  }

  /** As `take`, at once, where that is possible. */
  takeNow(length: number): Uint8Array | null {
    const bytes = this.peek(length);
    if (bytes) this.#at += length;
    return bytes;
  }

  /** Exactly `length` bytes. Throws `ArtifactError` `ARTIFACT_CORRUPT` where the stream ends before. */
  async take(length: number): Promise<Uint8Array> {
    const atHand = this.takeNow(length);
    if (atHand) return atHand;
    const taken = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      const more = await this.next(length - filled);
      taken.set(more, filled);
      filled += more.length;
    }
    return taken;
  }

  /** At least one byte and `most` at most, without copying. Throws as `take` does. */
  async next(most: number): Promise<Uint8Array> {
    if (await this.isAtEnd()) throw endsTooEarly();
    const next = this.#bytes.subarray(this.#at, this.#at + most);
    this.#at += next.length;
    return next;
  }

  /** Goes on to a position that is not behind the present one, at once; false, and nothing is done, where it is not in memory. */
  skipNow(position: number): boolean {
    if (position > this.#start + this.#bytes.length) return false;
    this.#at = position - this.#start;
    return true;
  }

  /** As `skipNow`, wherever the position is. Throws as `take` does. */
  async skipTo(position: number): Promise<void> {
    while (!this.skipNow(position)) if (!(await this.#advance())) throw endsTooEarly();
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#at === this.#bytes.length) if (!(await this.#advance())) return true;
    return false;
  }

  async #advance(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done) return false;
    if (this.#transient) giveBack(this.#bytes);
    this.#bytes = value.bytes;
    this.#start = value.start;
    this.#at = 0;
    return true;
  }
}

function endsTooEarly(): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", "The archive in the backup ends too early.");
}
