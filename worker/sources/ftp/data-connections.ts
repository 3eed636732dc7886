// The connections that carry listings and files of one FTP session: where they go to, and how they are encrypted.
import type { Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Control } from "./control.ts";
import { dial } from "./dial.ts";
import { dataUnreachable, FtpRefusal, isPassing, noPassiveMode, sentElsewhere, strangerSendsFiles } from "./failure.ts";
import { Transfer } from "./transfer.ts";
import type { CertificateTrust } from "./trust.ts";

export interface FtpTarget {
  /** As the customer wrote it. */
  readonly host: string;
  /** What every connection goes to: the one address of the host that was checked. */
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly password: string | undefined;
  /** Null where nothing is to be encrypted. */
  readonly trust: CertificateTrust | null;
  readonly signal: AbortSignal;
  readonly stallMs: number;
}

export class DataConnections {
  readonly #target: FtpTarget;
  readonly #control: Control;
  /** What they prove with that they belong to the sign-in: many servers want it. */
  #tlsSession: Buffer | undefined;
  #extended = true;

  constructor(target: FtpTarget, control: Control) {
    this.#target = target;
    this.#control = control;
  }

  resumeSessionOf(socket: TLSSocket): void {
    this.#tlsSession = socket.getSession();
    socket.on("session", this.#keep);
  }

  /** Sends a command that has an answer to fetch. Rejects with `FtpRefusal` where the server will not. */
  async start(command: string, from = 0): Promise<Transfer> {
    const control = this.#control;
    const socket = await this.#openData();
    try {
      if (from > 0) await control.send(`REST ${from}`);
      const { trust } = this.#target;
      control.post(command);
      const secure = trust ? this.#encryptData(socket, trust) : null;
      secure?.ready.catch(() => undefined);
      const started = await control.reply();
      const { host } = this.#target;
      return new Transfer({ control, host, socket: secure?.socket ?? socket, ready: secure?.ready ?? null, started });
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  #encryptData(socket: Socket, trust: CertificateTrust) {
    const session = this.#tlsSession;
    const secure = connectTls({ ...trust.options, socket, ...(session && { session }) });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    secure.on("session", this.#keep);
    secure.on("error", reject);
    secure.once("close", () => reject(new Error("closed before it was encrypted")));
    secure.once("secureConnect", () => {
      try {
        // A session that is taken up again was checked when it began.
        if (!secure.isSessionReused()) trust.check(secure);
        resolve();
      } catch (error) {
        reject(strangerSendsFiles(this.#target.host, error));
        secure.destroy();
      }
    });
    return { socket: secure, ready: promise };
  }

  async #openData(): Promise<Socket> {
    const { host, address } = this.#target;
    const { over } = this.#control;
    const port = await this.#passivePort();
    return await this.#control.awaiting(dial(address, port, over)).catch((error) => {
      over.throwIfAborted();
      const fault = dataUnreachable(host, error);
      this.#control.destroy(fault);
      throw fault;
    });
  }

  async #passivePort(): Promise<number> {
    const { host, address } = this.#target;
    if (this.#extended) {
      const port = extendedPort((await this.#control.attempt("EPSV"))?.lines.at(-1) ?? "");
      if (port !== null) return port;
      this.#extended = false;
    }
    const answer = await this.#control.send("PASV").catch((error: unknown) => {
      throw error instanceof FtpRefusal && !isPassing(error) ? noPassiveMode(host, error) : error;
    });
    const place = passivePlace(answer.lines.at(-1) ?? "");
    if (!place) throw noPassiveMode(host, new FtpRefusal(answer.code, answer.lines.join(" ")));
    // Otherwise the server could have us fetch from any host that it likes.
    if (place.host !== address) throw sentElsewhere(host);
    return place.port;
  }

  readonly #keep = (session: Buffer): void => {
    this.#tlsSession = session;
  };
}

/** From the reply to EPSV, `229 … (|||6446|)`; null where there is no port in it. The address is that of the server itself. */
function extendedPort(line: string): number | null {
  return portOf(/^229[^(]*\(([!-~])\1\1(\d{1,5})\1\)/.exec(line)?.[2]);
}

/** From the reply to PASV, `227 … (192,0,2,1,25,46)`; null where there is no address in it. */
function passivePlace(line: string): { readonly host: string; readonly port: number } | null {
  const [, a, b, c, d, high, low] =
    /^227\D*(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})/.exec(line) ?? [];
  const port = portOf(`${Number(high) * 256 + Number(low)}`);
  return port === null ? null : { host: [a, b, c, d].map(Number).join("."), port };
}

function portOf(text: string | undefined): number | null {
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : null;
}
