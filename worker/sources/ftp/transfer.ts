// What one FTP data connection brings, piece by piece as its reader asks, and whether the server says that it was all.
import type { Socket } from "node:net";
import { SourceError } from "../source-error.ts";
import { connectionLost } from "../ssh/failure.ts";
import type { Control, Reply } from "./control.ts";
import { FtpRefusal } from "./failure.ts";

export interface TransferParts {
  readonly control: Control;
  readonly host: string;
  readonly socket: Socket;
  /** Once what arrives can be believed; null where it need not be. */
  readonly ready: Promise<void> | null;
  /** The reply with which it began. */
  readonly started: Reply;
}

/** Until a server has said that it noticed the early end of a transfer. */
const politeEndMs = 3_000;

/** Takes no more from the network than its reader takes from it. Read it to its end, or abandon it. */
export class Transfer {
  /** What the server said at the end. */
  ending = "";
  readonly #parts: TransferParts;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #begun = false;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    this.#chunks = parts.socket[Symbol.asyncIterator]();
  }

  /** Null at the end. Rejects with `FtpRefusal` where the server gave up, with SOURCE_DISCONNECTED where the connection did. */
  async next(): Promise<Uint8Array | null> {
    const { control, ready } = this.#parts;
    try {
      if (!this.#begun && ready !== null) await control.awaiting(ready);
      this.#begun = true;
      const { done, value } = await control.awaiting(this.#chunks.next());
      control.heard();
      if (!done) return value;
    } catch (error) {
      throw this.#broken(error);
    }
    await this.#finish();
    return null;
  }

  /** Ends it early. The session goes on where the server takes notice in good time, and is over where it does not. */
  async abandon(): Promise<void> {
    const { control, socket, host } = this.#parts;
    socket.destroy();
    const patience = setTimeout(() => control.destroy(connectionLost(host)), politeEndMs);
    await this.#finish().catch(() => undefined);
    clearTimeout(patience);
  }

  /** The data connection is over; what the server says of it comes on the other one, before or after. */
  async #finish(): Promise<void> {
    const { control, started, socket } = this.#parts;
    socket.destroy();
    const reply = started.code < 200 ? await control.reply() : started;
    this.ending = reply.lines.join(" ");
    if (reply.code >= 300) throw new FtpRefusal(reply.code, this.ending);
  }

  /** A session whose data connections break is not used again: nobody knows what its next reply would be about. */
  #broken(cause: unknown): unknown {
    const { control, host } = this.#parts;
    if (control.over.aborted) return control.over.reason;
    this.#parts.socket.destroy();
    const error = cause instanceof SourceError ? cause : connectionLost(host, cause);
    control.destroy(error);
    return error;
  }
}
