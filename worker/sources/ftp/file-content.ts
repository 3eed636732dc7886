// The content of one file, in order and to its end, although connections may break on the way.
import { EntryInterruptedError, type Warning } from "#artifact/node";
import { connectionLost } from "../ssh/failure.ts";
import { FtpRefusal, isPassing, unavailable } from "./failure.ts";
import type { FileState, FtpSession } from "./session.ts";
import type { FtpSessions } from "./sessions.ts";
import type { Transfer } from "./transfer.ts";
import type { Found } from "./walk.ts";

export interface ContentOptions {
  readonly sessions: FtpSessions;
  /** As the customer wrote it. */
  readonly host: string;
  readonly file: Found;
  readonly warn: (warning: Warning) => void;
}

interface Lease {
  readonly session: FtpSession;
  readonly transfer: Transfer;
}

/** Times that one file is taken up again where it was cut. */
const mostResumptions = 5;

/**
 * Of a file that the server has begun to send. It ends where the file ends, even before its size, and goes on beyond it where the
 * file has grown. Holds one of the sessions until it has ended or `return` was called.
 */
export class FileContent implements AsyncIterableIterator<Uint8Array> {
  /** Of the file as it was when it was opened. */
  readonly size: number;
  /** Null where the server cannot tell: then a cut file cannot be taken up again. */
  readonly state: FileState | null;
  readonly #options: ContentOptions;
  #lease: Lease | null;
  #position = 0;
  #resumptions = 0;

  private constructor(options: ContentOptions, state: FileState | null, lease: Lease) {
    this.#options = options;
    this.state = state;
    this.size = state?.size ?? options.file.size;
    this.#lease = lease;
  }

  /** Rejects with `FtpRefusal` where the server will not send it. */
  static async open(options: ContentOptions): Promise<FileContent> {
    const { sessions, file } = options;
    return sessions.retrying(async () => {
      const session = await sessions.acquire();
      try {
        const state = await session.stateOf(file.remotePath);
        return new FileContent(options, state, { session, transfer: await session.retrieve(file.remotePath) });
      } catch (error) {
        sessions.release(session);
        throw error;
      }
    });
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (this.#lease) {
      try {
        const chunk = await this.#lease.transfer.next();
        if (chunk) {
          this.#position += chunk.length;
          return { done: false, value: chunk };
        }
        await this.#compare(this.#lease.session);
        this.#giveBack();
      } catch (error) {
        this.#giveBack();
        await this.#resume(error);
      }
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#lease?.transfer.abandon();
    this.#giveBack();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** At what seems to be the end: whether it is, and of the same file. */
  async #compare(session: FtpSession): Promise<void> {
    const { file, host } = this.#options;
    if (!this.state || this.#position > this.size) return;
    const now = await session.stateOf(file.remotePath).catch((error: unknown) => {
      if (isPassing(error) ? this.#position === this.size : error instanceof FtpRefusal) return null;
      throw error;
    });
    // A connection that somebody else has ended looks like the end of the file.
    if (this.#position < this.size && now?.size === this.size) throw connectionLost(host);
    if (now && this.#position === this.size && !isSame(now, this.state))
      this.#warnOfChange("It changed while it was read: its parts may not belong together.");
  }

  #warnOfChange(message: string): void {
    this.#options.warn({ code: "CHANGED_WHILE_READ", path: this.#options.file.printable, message });
  }

  #giveBack(): void {
    if (this.#lease) this.#options.sessions.release(this.#lease.session);
    this.#lease = null;
  }

  /** Goes on at the byte where it was cut, in the same file and no other. */
  async #resume(cut: unknown): Promise<void> {
    const { sessions, host } = this.#options;
    if (cut instanceof FtpRefusal && !isPassing(cut))
      throw new EntryInterruptedError("the server stopped sending the file", { cause: cut });
    if (!isPassing(cut)) throw cut;
    if (!this.state?.modified || this.#resumptions++ === mostResumptions) throw connectionLost(host, cut);
    try {
      this.#lease = await sessions.retrying(() => this.#openAgain());
    } catch (error) {
      if (!(error instanceof FtpRefusal)) throw error;
      // Any other refusal is about going on in the middle: another backup begins at the beginning.
      if (error.code !== unavailable) throw connectionLost(host, error);
      throw new EntryInterruptedError("the server did not go on with the file", { cause: error });
    }
    if (this.#lease) return;
    this.#warnOfChange("It changed while its connection was broken: only what came before is stored.");
    throw new EntryInterruptedError("the file changed while the connection was broken");
  }

  /** Null where it is not the same file any more. */
  async #openAgain(): Promise<Lease | null> {
    const { sessions, file } = this.#options;
    const session = await sessions.acquire();
    let lease: Lease | null = null;
    try {
      const state = await session.stateOf(file.remotePath);
      if (!isSame(state, this.state)) return null;
      lease = { session, transfer: await session.retrieve(file.remotePath, this.#position) };
      return lease;
    } finally {
      if (!lease) sessions.release(session);
    }
  }
}

function isSame(one: FileState | null, other: FileState | null): boolean {
  return one?.size === other?.size && one?.modified === other?.modified;
}
