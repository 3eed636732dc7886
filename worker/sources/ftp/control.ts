// One FTP control connection: a command out, its reply in, both within bounds and neither waited for without end.
import type { Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { connectionLost, stalled } from "../ssh/failure.ts";
import { FtpRefusal, noHandshake, notFtp } from "./failure.ts";
import type { CertificateTrust } from "./trust.ts";

/** Bytes as text, one character each. */
export interface Reply {
  readonly code: number;
  readonly lines: readonly string[];
}

export interface ControlOptions {
  /** As the customer wrote it, for messages. */
  readonly host: string;
  readonly port: number;
  /** How long anything that is awaited may stay away. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

const longestReply = 65_536;
const mostUnreadReplies = 16;
/** The silence is counted in ticks, so that a process that was stopped for a while does not blame the source. */
const ticksToStall = 4;

export class Control {
  readonly #options: ControlOptions;
  readonly #over = new AbortController();
  readonly #ticker: NodeJS.Timeout;
  readonly #interrupt: () => void;
  readonly #unread: Reply[] = [];
  #socket: Socket;
  #arrived: PromiseWithResolvers<void> | null = null;
  /** What has arrived of the next reply: its whole lines, and the one that is not. */
  #lines: string[] = [];
  #text = "";
  #length = 0;
  #awaited = 0;
  #quietTicks = 0;

  /** Owns the socket. */
  constructor(socket: Socket, options: ControlOptions) {
    this.#options = options;
    this.#socket = socket;
    this.#interrupt = () => this.destroy(options.signal.reason);
    this.#ticker = setInterval(() => this.#tick(), options.stallMs / ticksToStall);
    options.signal.addEventListener("abort", this.#interrupt, { once: true });
    this.#listen();
    if (options.signal.aborted) this.#interrupt();
  }

  /** Aborted once the connection is over, with the `SourceError` or the signal's reason that says why. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  get tls(): TLSSocket | null {
    return "getSession" in this.#socket ? (this.#socket as TLSSocket) : null;
  }

  /** Text is sent byte by byte. Rejects with `FtpRefusal` where the reply is one. */
  async send(command: string): Promise<Reply> {
    this.post(command);
    return this.reply();
  }

  /** Null where the server will not, or does not know how. */
  async attempt(command: string): Promise<Reply | null> {
    try {
      return await this.send(command);
    } catch (error) {
      if (error instanceof FtpRefusal && error.code !== 421) return null;
      throw error;
    }
  }

  /** Sends without waiting. */
  post(command: string): void {
    if (/[\r\n\0]/.test(command)) throw new RangeError("an FTP command cannot have a line break");
    this.over.throwIfAborted();
    this.#socket.write(Buffer.from(`${command}\r\n`, "latin1"));
  }

  /** The next reply. Rejects with `FtpRefusal` where it is one. */
  async reply(): Promise<Reply> {
    for (;;) {
      const reply = this.#unread.shift();
      if (!reply) {
        this.#arrived = Promise.withResolvers();
        await this.awaiting(this.#arrived.promise);
      } else if (reply.code >= 400) throw new FtpRefusal(reply.code, reply.lines.join(" "));
      else return reply;
    }
  }

  /** Waits for something that the server owes: the connection counts as stalled where `heard` is not called for too long. */
  awaiting<T>(owed: Promise<T>): Promise<T> {
    if (this.over.aborted) {
      owed.catch(() => undefined);
      return Promise.reject(this.over.reason);
    }
    if (this.#awaited++ === 0) this.#quietTicks = 0;
    return new Promise((resolve, reject) => {
      const overtaken = () => settle(() => reject(this.over.reason));
      const settle = (act: () => void) => {
        this.#awaited--;
        this.over.removeEventListener("abort", overtaken);
        act();
      };
      this.over.addEventListener("abort", overtaken, { once: true });
      owed.then(
        (value) => this.over.aborted || settle(() => resolve(value)),
        (error: unknown) => this.over.aborted || settle(() => reject(error)),
      );
    });
  }

  /** Something that is worth waiting for came, on this connection or on one for data. */
  heard(): void {
    this.#quietTicks = 0;
  }

  /** From here on everything is encrypted. Throws `SourceError`; what the server shows is for the caller to judge. */
  async upgrade({ options }: CertificateTrust): Promise<TLSSocket> {
    // A reply that is there already was written by whoever can write without the key.
    if (this.#text !== "" || this.#lines.length > 0 || this.#unread.length > 0) throw this.#fail(this.#notFtp());
    this.#socket.off("data", this.#take).off("error", this.#lose).off("close", this.#lose);
    this.#socket.on("error", () => undefined);
    const secure = connectTls({ ...options, socket: this.#socket });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    secure.once("secureConnect", resolve).on("error", reject).once("close", reject);
    this.#socket = secure;
    try {
      await this.awaiting(promise);
    } catch (error) {
      if (this.over.aborted) throw error;
      throw this.#fail(noHandshake(this.#options.host, error));
    }
    this.#listen();
    return secure;
  }

  /** Ends the connection on the spot; everything that is awaited fails with `reason`. */
  destroy(reason: unknown): void {
    clearInterval(this.#ticker);
    this.#options.signal.removeEventListener("abort", this.#interrupt);
    this.#over.abort(reason);
    this.#socket.destroy();
  }

  #listen(): void {
    this.#socket.on("data", this.#take).on("error", this.#lose).on("close", this.#lose);
  }

  readonly #take = (bytes: Buffer): void => {
    this.#length += bytes.length;
    this.#text += bytes.toString("latin1");
    for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n")) {
      const line = this.#text.slice(0, end).replace(/\r$/, "");
      this.#text = this.#text.slice(end + 1);
      this.#takeLine(line);
    }
    if (this.#length > longestReply || this.#unread.length > mostUnreadReplies) this.#fail(this.#notFtp());
  };

  readonly #lose = (cause: unknown): void => {
    this.#fail(connectionLost(this.#options.host, cause));
  };

  #takeLine(line: string): void {
    this.#lines.push(line);
    const code = /^[1-5]\d\d(?=[ -]|$)/.exec(this.#lines[0] ?? "")?.[0];
    if (code === undefined) {
      this.#fail(this.#notFtp());
      return;
    }
    if (!line.startsWith(code) || line[3] === "-") return;
    this.#unread.push({ code: Number(code), lines: this.#lines });
    this.#lines = [];
    this.#length = this.#text.length;
    this.heard();
    this.#arrived?.resolve();
  }

  #notFtp() {
    return notFtp(this.#options.host, this.#options.port);
  }

  #fail(error: Error): Error {
    this.destroy(error);
    return error;
  }

  #tick(): void {
    if (this.#awaited > 0 && ++this.#quietTicks >= ticksToStall) this.#fail(stalled(this.#options.host));
  }
}
