// One sign-in to an FTP server, and what can be asked of it: one thing at a time.
import { type RawName, rawName } from "../entry-name.ts";
import { SourceError } from "../source-error.ts";
import { type SshFault, unreachable } from "../ssh/failure.ts";
import { Control, type Reply } from "./control.ts";
import { DataConnections, type FtpTarget } from "./data-connections.ts";
import { dial } from "./dial.ts";
import {
  FtpRefusal,
  filesUnencrypted,
  isPassing,
  noEncryption,
  passwordUnfit,
  signInRefused,
  tooBusy,
  unavailable,
} from "./failure.ts";
import type { Transfer } from "./transfer.ts";
import type { CertificateTrust } from "./trust.ts";

/** What tells one state of a file from another. */
export interface FileState {
  readonly size: number;
  /** As the server tells it: `20261121223036`. Null where it does not. */
  readonly modified: string | null;
}

export class FtpSession implements AsyncDisposable {
  readonly #target: FtpTarget;
  readonly #control: Control;
  readonly #data: DataConnections;
  /** Where relative paths begin. */
  home: RawName = "/";
  /** Printable text of bounded length. */
  banner: string | null = null;
  /** Of the server's certificate; null without TLS. */
  fingerprint: string | null = null;
  /** Whether listings can be had in a form for machines. */
  machineListings = false;
  #hidden = true;

  private constructor(target: FtpTarget, control: Control) {
    this.#target = target;
    this.#control = control;
    this.#data = new DataConnections(target, control);
  }

  /** Throws `SourceError` or the signal's reason. No password is sent before the certificate has been accepted. */
  static async open(target: FtpTarget): Promise<FtpSession> {
    const { host, address, port, stallMs, signal } = target;
    signal.throwIfAborted();
    const socket = await dial(address, port, signal).catch((fault: SshFault) => {
      signal.throwIfAborted();
      throw unreachable(target, fault);
    });
    const session = new FtpSession(target, new Control(socket, { host, port, stallMs, signal }));
    try {
      await session.#begin();
    } catch (error) {
      session.destroy(error);
      throw error;
    }
    return session;
  }

  /** Aborted once the session is over, with the reason. */
  get over(): AbortSignal {
    return this.#control.over;
  }

  /** Rejects with `FtpRefusal` where this is no directory that may be entered. */
  async enter(path: RawName): Promise<void> {
    await this.#control.send(`CWD ${path}`);
  }

  /** A listing as RFC 3659 has it; null where it has more than `most` bytes. */
  async listForMachines(path: RawName, most: number): Promise<Buffer | null> {
    return this.#collect(await this.#data.start(`MLSD ${path}`), most);
  }

  /** As a user would read it; null likewise. It goes by way of CWD: what follows LIST would be taken for options and patterns. */
  async listForPeople(path: RawName, most: number): Promise<Buffer | null> {
    await this.enter(path);
    if (this.#hidden) {
      const listing = await this.#listHidden(most);
      // With hidden names there is always one for the directory itself: this server took the option for something else.
      if (listing === null || listing.length > 0) return listing;
      this.#hidden = false;
    }
    return this.#collect(await this.#data.start("LIST"), most);
  }

  /** Begins to send a file from a byte on. Rejects with `FtpRefusal` where the server will not. */
  retrieve(path: RawName, from = 0): Promise<Transfer> {
    return this.#data.start(`RETR ${path}`, from);
  }

  /** Null where the server cannot tell. Rejects with `FtpRefusal` where it will not. */
  async stateOf(path: RawName): Promise<FileState | null> {
    const size = await this.#ask(`SIZE ${path}`, /^213 (\d{1,15})/);
    if (size === null) return null;
    return { size: Number(size), modified: await this.#ask(`MDTM ${path}`, /^213 (\d{14}(?:\.\d+)?)/) };
  }

  destroy(reason: unknown): void {
    this.#control.destroy(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.over.aborted) this.#control.post("QUIT");
    } finally {
      this.destroy(new SourceError("SOURCE_DISCONNECTED", "The source was closed."));
    }
  }

  async #begin(): Promise<void> {
    const { host, trust } = this.#target;
    const greeting = await this.#control.reply().catch((error: unknown) => {
      throw error instanceof FtpRefusal ? tooBusy(host, error) : error;
    });
    this.banner = printable(greeting);
    if (trust) await this.#encrypt(trust);
    await this.#signIn();
    const features = await this.#control.attempt("FEAT");
    this.machineListings = features?.lines.some((line) => /^ ?MLST( |$)/i.test(line)) ?? false;
    await this.#control.attempt("OPTS UTF8 ON");
    if (this.machineListings)
      await this.#control.attempt("OPTS MLST type;size;modify;unique;UNIX.mode;UNIX.owner;UNIX.group;");
    await this.#control.send("TYPE I");
    const told = await this.#ask("PWD", /^257 "((?:[^"]|"")*)"/);
    if (told?.startsWith("/")) this.home = told.replaceAll('""', '"');
  }

  async #encrypt(trust: CertificateTrust): Promise<void> {
    const { host } = this.#target;
    await this.#control.send("AUTH TLS").catch((error: unknown) => {
      throw error instanceof FtpRefusal ? noEncryption(host, error) : error;
    });
    const socket = await this.#control.upgrade(trust);
    this.fingerprint = trust.check(socket);
    this.#data.resumeSessionOf(socket);
  }

  async #signIn(): Promise<void> {
    const { host, username, password, trust } = this.#target;
    try {
      if (/[^\x20-\x7e]/.test(`${username}${password}`)) await this.#control.attempt("OPTS UTF8 ON");
      const asked = await this.#control.send(`USER ${rawName(username)}`);
      if (asked.code === 331) {
        if (password === undefined || /[\r\n\0]/.test(password)) throw passwordUnfit();
        const answered = await this.#control.send(`PASS ${rawName(password)}`);
        if (answered.code >= 300) throw new FtpRefusal(answered.code, answered.lines.join(" "));
      } else if (asked.code >= 300) throw new FtpRefusal(asked.code, asked.lines.join(" "));
    } catch (error) {
      if (!(error instanceof FtpRefusal)) throw error;
      if (isPassing(error)) throw tooBusy(host, error);
      throw signInRefused(host, username, trust !== null, error);
    }
    if (!trust) return;
    await this.#control.attempt("PBSZ 0");
    await this.#control.send("PROT P").catch((error: unknown) => {
      throw error instanceof FtpRefusal ? filesUnencrypted(host, error) : error;
    });
  }

  /** Empty where the server does not know how. */
  async #listHidden(most: number): Promise<Buffer | null> {
    try {
      return await this.#collect(await this.#data.start("LIST -a"), most);
    } catch (error) {
      if (error instanceof FtpRefusal && !isPassing(error)) return Buffer.alloc(0);
      throw error;
    }
  }

  async #collect(transfer: Transfer, most: number): Promise<Buffer | null> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (let chunk = await transfer.next(); chunk; chunk = await transfer.next()) {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= most) continue;
      await transfer.abandon();
      return null;
    }
    // vsftpd says so in words alone, and calls it a success.
    if (/failed to open/i.test(transfer.ending)) throw new FtpRefusal(unavailable, transfer.ending);
    return Buffer.concat(chunks, length);
  }

  /** Null where the server does not know such a command. */
  async #ask(command: string, pattern: RegExp): Promise<string | null> {
    try {
      return pattern.exec((await this.#control.send(command)).lines[0] ?? "")?.[1] ?? null;
    } catch (error) {
      if (error instanceof FtpRefusal && unknownCommand.has(error.code)) return null;
      throw error;
    }
  }
}

const unknownCommand: ReadonlySet<number> = new Set([500, 501, 502, 504]);

function printable({ lines }: Reply): string | null {
  const text = lines.map((line) => line.replace(/^\d{3}[ -]/, "")).join(" ");
  return (
    text
      .replace(/[^\x20-\x7e]/g, "")
      .trim()
      .slice(0, 100) || null
  );
}
