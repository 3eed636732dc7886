// Reads one remote file in order while several requests for it are on their way.
import { EntryInterruptedError } from "#artifact/node";
import { type Handle, type SftpSession, SftpStatusError } from "./session.ts";

/** Bytes of one file that are asked for ahead of the reader. Also what one file may hold in memory. */
export const bytesAhead = 2 * 1024 * 1024;

interface Asked {
  readonly position: number;
  readonly length: number;
  readonly bytes: Promise<Uint8Array>;
}

/**
 * The content of an opened file, whose first requests are sent here and now. It ends where the file ends, even before `size`, and
 * goes on for one byte beyond it where the file has grown. A chunk is its reader's until the next one is asked for. Owns the handle:
 * closed after the last byte or by `return()`.
 */
export class FileContent implements AsyncIterableIterator<Uint8Array> {
  readonly #session: SftpSession;
  readonly #handle: Handle;
  readonly #size: number;
  readonly #inFlight: { readonly position: number; readonly length: number; readonly bytes: Promise<Uint8Array> }[] =
    [];
  /** What the reader has in hand until it asks for more. */
  #lent: Uint8Array | null = null;
  #asked = 0;
  #closed = false;

  constructor(session: SftpSession, handle: Handle, size: number) {
    this.#session = session;
    this.#handle = handle;
    this.#size = size;
    this.#askAhead();
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#lent) this.#session.giveBack(this.#lent);
    this.#lent = null;
    const answer = this.#inFlight.shift();
    if (!answer || this.#closed) return this.#end();
    try {
      const bytes = await answer.bytes;
      if (bytes.length === 0) return this.#end();
      // Servers may answer with less than was asked for; only an empty answer is the end.
      const position = answer.position + bytes.length;
      if (bytes.length < answer.length && position < this.#size)
        this.#inFlight.unshift(this.#ask(position, answer.length - bytes.length));
      this.#askAhead();
      this.#lent = bytes;
      return { done: false, value: bytes };
    } catch (error) {
      this.#end();
      if (error instanceof SftpStatusError)
        throw new EntryInterruptedError("the server stopped reading the file", { cause: error });
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    return this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #askAhead(): void {
    const { readLength } = this.#session;
    // The byte beyond the announced size tells a file that grew from one that did not, at no extra round trip.
    const end = this.#size + 1;
    const most = Math.max(1, Math.floor(bytesAhead / readLength));
    while (this.#inFlight.length < most && this.#asked < end) {
      const length = Math.min(readLength, end - this.#asked);
      this.#inFlight.push(this.#ask(this.#asked, length));
      this.#asked += length;
    }
  }

  #ask(position: number, length: number): Asked {
    const bytes = this.#session.read(this.#handle, position, length);
    // Looked at when its turn comes, which may be never.
    bytes.catch(() => undefined);
    return { position, length, bytes };
  }

  #end(): IteratorResult<Uint8Array, undefined> {
    if (!this.#closed) this.#session.close(this.#handle);
    this.#closed = true;
    return { done: true, value: undefined };
  }
}
