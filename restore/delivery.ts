// Keeps account of which bytes of a download have arrived, so that a link is used up by a complete download and by nothing less.

/** Bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** One response with bytes of the download, under way or broken off. */
export interface Sending {
  readonly range: ByteRange;
  /** Up to where bytes were handed to the network; set by the sender. */
  sentTo: number;
}

/** More than any honest client makes. Those beyond it are forgotten, and their bytes count as not delivered. */
const piecesKept = 1000;

/**
 * A server cannot see what a client received of a response that broke off: the last megabytes of it were in buffers. So such a response
 * counts for nothing, until a request begins inside what was sent: with that the client says what it has.
 */
export class Delivery {
  readonly #size: number;
  /** Apart from each other and in order. */
  #arrived: ByteRange[] = [];
  #sendings: Sending[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  begin(range: ByteRange): Sending {
    // The response that this one resumes may not be known to have broken off yet.
    const resumed = this.#sendings.filter(({ range: { start, end }, sentTo }) => {
      return start < range.start && range.start <= sentTo && range.start < end;
    });
    for (const { range: earlier } of resumed) this.#arrive({ start: earlier.start, end: range.start });
    const sending = { range, sentTo: range.start };
    this.#sendings = [...this.#sendings, sending].slice(-piecesKept);
    return sending;
  }

  /** What an earlier process sent, and how far it came, is forgotten: a request that begins anywhere says what its client has. */
  resumeAnywhere(): void {
    this.begin({ start: 0, end: this.#size }).sentTo = this.#size;
  }

  /** The client has all of it. */
  arrived(sending: Sending): void {
    this.#sendings = this.#sendings.filter((other) => other !== sending);
    this.#arrive(sending.range);
  }

  get isComplete(): boolean {
    const [first] = this.#arrived;
    return first !== undefined && first.start === 0 && first.end >= this.#size;
  }

  #arrive(range: ByteRange): void {
    const apart = this.#arrived.filter((other) => other.end < range.start || other.start > range.end);
    const touching = this.#arrived.filter((other) => !apart.includes(other));
    const merged = {
      start: Math.min(range.start, ...touching.map((other) => other.start)),
      end: Math.max(range.end, ...touching.map((other) => other.end)),
    };
    this.#arrived = [...apart, merged].sort((a, b) => a.start - b.start).slice(0, piecesKept);
  }
}
