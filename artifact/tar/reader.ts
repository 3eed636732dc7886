// Reads a tar stream strictly: every header must be the one that the format prescribes for its entry, so no two readers see two trees.
import { concatBytes } from "@noble/hashes/utils.js";
import { isZeros } from "../bytes.ts";
import { ByteQueue, type Piece, type ReadOptions } from "./byte-queue.ts";
import { paddedBytes, type TarEntry } from "./header.ts";
import { blockBytes } from "./layout.ts";
import { damagedTar, HeaderParser } from "./parse-header.ts";

export interface TarMember extends TarEntry {
  /** Where its first header block starts in the stream. */
  readonly offset: number;
  readonly contentOffset: number;
  /** To be read before the next member is asked for, which skips what is left of it. */
  readonly content: AsyncIterable<Uint8Array>;
  /** All of the content, where it is in memory already. */
  readonly bytes?: Uint8Array;
}

/** Throws `ArtifactError`: `ENTRY_REFUSED` for a kind of entry that is never written, `ARTIFACT_CORRUPT` for what is no such tar. */
export async function* readTar(stream: AsyncGenerator<Piece>, options?: ReadOptions): AsyncGenerator<TarMember> {
  try {
    const queue = new ByteQueue(stream, options);
    const members = new MemberReader(queue);
    for (let member = await members.next(); member; member = await members.next()) {
      yield member;
      await members.end(member);
    }
    const { position } = queue;
    if (!isZeros(await queue.take(blockBytes)) || !(await queue.isAtEnd())) throw damagedTar("its end", position);
  } finally {
    await stream.return(undefined);
  }
}

/** Takes one member after another off a queue. What is in memory already is taken without a wait. */
export class MemberReader {
  readonly #queue: ByteQueue;
  readonly #headers = new HeaderParser();

  constructor(queue: ByteQueue) {
    this.#queue = queue;
  }

  /** The member whose header is next; null for a block of zeros, which is taken. */
  async next(): Promise<TarMember | null> {
    const queue = this.#queue;
    const offset = queue.position;
    const first = queue.peek(blockBytes);
    const atHand = first && queue.takeNow(this.#headers.lengthOf(first, offset));
    const header = atHand ?? (await this.#takeHeader(offset));
    // No header begins with a NUL, so all other blocks are told from zeros by their first byte.
    if (header[0] === 0 && isZeros(header)) return null;
    const entry = this.#headers.parse(header, offset);
    const contentOffset = queue.position;
    const content = contentOf(queue, contentOffset + entry.size);
    const bytes = queue.peek(entry.size);
    return bytes ? { ...entry, offset, contentOffset, content, bytes } : { ...entry, offset, contentOffset, content };
  }

  async #takeHeader(offset: number): Promise<Uint8Array> {
    const first = await this.#queue.take(blockBytes);
    const length = this.#headers.lengthOf(first, offset);
    // A copy: what is taken next may end the life of the piece that holds it.
    return length === blockBytes
      ? first
      : concatBytes(new Uint8Array(first), await this.#queue.take(length - blockBytes));
  }

  /** Skips what is left of a member, and checks what fills its last block. Answers a promise only where there is more to read. */
  end({ contentOffset, size }: TarMember): Promise<void> | undefined {
    const end = contentOffset + size;
    const padding = paddedBytes(size) - size;
    const atHand = this.#queue.skipNow(end) ? this.#queue.takeNow(padding) : null;
    if (!atHand) return this.#endLater(end, padding);
    if (!isZeros(atHand)) throw damagedTar("an entry's padding", end);
    return undefined;
  }

  async #endLater(end: number, padding: number): Promise<void> {
    await this.#queue.skipTo(end);
    if (!isZeros(await this.#queue.take(padding))) throw damagedTar("an entry's padding", end);
  }
}

async function* contentOf(queue: ByteQueue, end: number): AsyncGenerator<Uint8Array> {
  if (queue.position > end) throw new TypeError("the content of an entry was read after the next entry");
  while (queue.position < end) yield await queue.next(end - queue.position);
}
