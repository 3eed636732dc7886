// Hands over everything below a directory of this machine, or one file, as entries, read ahead by a thread of its own.
import { on } from "node:events";
import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import type { Entry, Warning } from "../entry.ts";
import { EntryInterruptedError } from "../errors.ts";
import { type Batch, batchBytes, batchesAhead, type Item, type Piece, type TreeThreadData } from "./batch.ts";
import { smallThread } from "./small-thread.ts";

export interface ReadTreeOptions {
  readonly warn: (warning: Warning) => void;
  readonly signal: AbortSignal;
}

/**
 * Links are kept as links, further names of a file as hard links. An entry's content is to be read before the next entry is asked
 * for, and a piece of it is gone when the next piece is. A link at `root` itself is followed. Throws the signal's reason, the
 * system's error where `root` cannot be read, and `TypeError` where it is neither a file nor a directory.
 */
export async function* readTree(root: string, { warn, signal }: ReadTreeOptions): AsyncGenerator<Entry> {
  const place = await realpath(root);
  const stats = await stat(place);
  if (!stats.isFile() && !stats.isDirectory()) throw new TypeError(`neither a file nor a directory: ${root}`);
  await access(place, constants.R_OK);
  signal.throwIfAborted();
  const batches = new Batches({ root: place, isFile: stats.isFile(), name: basename(resolve(root)) }, signal);
  try {
    for (let item = await batches.next(); item; item = await batches.next()) {
      if (item.kind === "warning") warn(item.warning);
      else if (item.kind === "entry") {
        const content = new Content(batches, item.piece);
        const bytes = content.whole();
        if (item.entry.kind !== "file") yield item.entry;
        else if (bytes) yield { ...item.entry, bytes };
        else {
          yield { ...item.entry, content };
          await content.return();
        }
      }
    }
  } finally {
    await batches.close();
  }
}

/** Takes the items of one batch after another, and gives the thread its buffers back. */
class Batches {
  readonly #thread: Worker;
  readonly #messages: AsyncIterator<[Batch]>;
  readonly #signal: AbortSignal;
  #batch: Batch | null = null;
  #at = 0;

  constructor(workerData: TreeThreadData, signal: AbortSignal) {
    this.#thread = new Worker(new URL("./thread.ts", import.meta.url), { workerData, ...smallThread });
    this.#signal = signal;
    this.#messages = on(this.#thread, "message", { signal }) as AsyncIterator<[Batch]>;
    for (let n = 0; n < batchesAhead; n++) this.#giveBack(new ArrayBuffer(batchBytes));
  }

  /** Null where the tree has ended. What came before is gone then. */
  async next(): Promise<Item | null> {
    for (;;) {
      const item = this.#batch?.items[this.#at];
      if (item) {
        this.#at += 1;
        return item;
      }
      if (this.#batch?.last) return null;
      if (this.#batch) this.#giveBack(this.#batch.bytes.buffer);
      this.#batch = null;
      const { done, value } = await this.#nextMessage();
      if (done) return null;
      [this.#batch] = value;
      this.#at = 0;
    }
  }

  /** An abort is told as its reason, and not as an error of waiting. */
  async #nextMessage(): Promise<IteratorResult<[Batch]>> {
    try {
      return await this.#messages.next();
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error;
    }
  }

  bytesOf({ at, length }: Piece): Uint8Array {
    return this.#batch?.bytes.subarray(at, at + length) ?? new Uint8Array();
  }

  async close(): Promise<void> {
    await this.#messages.return?.();
    await this.#thread.terminate();
  }

  #giveBack(buffer: ArrayBuffer): void {
    this.#thread.postMessage(buffer, [buffer]);
  }
}

class Content implements AsyncIterableIterator<Uint8Array> {
  readonly #batches: Batches;
  #next: Piece | null;
  #ended = false;

  constructor(batches: Batches, first: Piece) {
    this.#batches = batches;
    this.#next = first;
  }

  /** All of it at once, where it is at hand. */
  whole(): Uint8Array | null {
    const piece = this.#next;
    if (!piece?.last || piece.interrupted) return null;
    this.#ended = true;
    return this.#batches.bytesOf(piece);
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    const piece = this.#next ?? (await this.#more());
    this.#next = null;
    this.#ended = piece.last;
    if (piece.interrupted) throw new EntryInterruptedError("the file could not be read to its end");
    return { done: false, value: this.#batches.bytesOf(piece) };
  }

  /** Skips what is left of it. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#next?.last) this.#ended = true;
    while (!this.#ended) this.#ended = (await this.#more()).last;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #more(): Promise<Piece> {
    const item = await this.#batches.next();
    if (item?.kind !== "more") throw new TypeError("a file's content ended in the middle");
    return item.piece;
  }
}
