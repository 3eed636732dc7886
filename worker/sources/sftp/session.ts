// One SFTP session as promises: any number of requests in flight, none of them waited for without end.
import type { FileEntryWithStats, SFTPWrapper, Stats } from "ssh2";
import type { SshConnection } from "../ssh/connection.ts";
import { connectionLost, stalled } from "../ssh/failure.ts";

/** The server's answer to one request, where it is a refusal; the session itself goes on. */
export class SftpStatusError extends Error {
  override readonly name = "SftpStatusError";
  /** Of the SFTP protocol, version 3. */
  readonly status: number;

  constructor(status: number, options?: ErrorOptions) {
    super(`the server answered with SFTP status ${status}`, options);
    this.status = status;
  }
}

export const sftpStatus = { endOfFile: 1, noSuchFile: 2, permissionDenied: 3 } as const;

export type Handle = Buffer;

/** What every server grants, should ssh2 cease to tell what this one does. */
const safeReadLength = 32_768;
/** Of files that are open at a time: few enough for any server, and as many as a slow line has use for. */
const safeOpenFiles = 64;
const mostOpenFiles = 256;
/** From this length on the memory of reads is worth keeping; what is shorter would hold far too much of it. */
const smallRead = 65_537;
const mostSpare = 64;
/** The silence is counted in ticks, so that a process that was stopped for a while does not blame the source. */
const ticksToStall = 4;

type Callback<T> = (error: (Error & { code?: unknown }) | null | undefined, value: T) => void;

/** Lives as long as its connection, and ends it when it is lost. Methods reject with `SftpStatusError`, `SourceError` or the signal's reason. */
export class SftpSession {
  /** Most bytes that one read may ask for. */
  readonly readLength: number;
  /** How many files may be open at a time, with room for as many directories. */
  readonly openFiles: number;
  readonly #connection: SshConnection;
  readonly #sftp: SFTPWrapper;
  readonly #host: string;
  readonly #spare: ArrayBufferLike[] = [];
  #outstanding = 0;
  #quietTicks = 0;

  private constructor(connection: SshConnection, sftp: SFTPWrapper, stallMs: number) {
    this.#connection = connection;
    this.#sftp = sftp;
    this.#host = connection.host;
    // ssh2 learns the limit from the server (limits@openssh.com) and keeps it in a field that its types leave out.
    this.readLength = (sftp as { _maxReadLen?: number })._maxReadLen ?? safeReadLength;
    const { maxOpenHandles = 2 * safeOpenFiles } = sftp as { maxOpenHandles?: number };
    this.openFiles = Math.max(1, Math.min(mostOpenFiles, Math.floor(maxOpenHandles / 2)));
    for (const event of ["error", "end", "close"])
      sftp.on(event, (cause: unknown) => connection.destroy(connectionLost(this.#host, cause)));
    const ticker = setInterval(() => this.#tick(), stallMs / ticksToStall);
    connection.over.addEventListener("abort", () => clearInterval(ticker), { once: true });
  }

  /** `stallMs` is how long a request may stay without an answer. Throws SOURCE_DISCONNECTED where the server offers no SFTP. */
  static async open(connection: SshConnection, stallMs: number): Promise<SftpSession> {
    return new SftpSession(connection, await connection.openSftp(), stallMs);
  }

  open(path: string): Promise<Handle> {
    return this.#request((done) => this.#sftp.open(path, "r", done));
  }

  /** As many bytes as there are from `position`, `length` at most; none at the end of the file. */
  read(handle: Handle, position: number, length: number): Promise<Uint8Array> {
    const buffer = length < smallRead ? Buffer.allocUnsafe(length) : this.#largeBuffer();
    return this.#request((done) =>
      this.#sftp.read(handle, buffer, 0, length, position, (error, count) => done(error, buffer.subarray(0, count))),
    );
  }

  /** Bytes from `read` that nobody looks at any more: their memory is used again. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.buffer.byteLength === this.readLength && this.#spare.length < mostSpare) this.#spare.push(bytes.buffer);
  }

  openDirectory(path: string): Promise<Handle> {
    return this.#request((done) => this.#sftp.opendir(path, done));
  }

  /** Some more names of the directory with their attributes, `.` and `..` left out; null at its end. */
  async readDirectory(handle: Handle): Promise<FileEntryWithStats[] | null> {
    try {
      return await this.#request((done) => this.#sftp.readdir(handle, done));
    } catch (error) {
      if (error instanceof SftpStatusError && error.status === sftpStatus.endOfFile) return null;
      throw error;
    }
  }

  /** Follows links. */
  stat(path: string): Promise<Stats> {
    return this.#request((done) => this.#sftp.stat(path, done));
  }

  lstat(path: string): Promise<Stats> {
    return this.#request((done) => this.#sftp.lstat(path, done));
  }

  readLink(path: string): Promise<string> {
    return this.#request((done) => this.#sftp.readlink(path, done));
  }

  /** Absolute and without links, as far as the server resolves them. */
  realPath(path: string): Promise<string> {
    return this.#request((done) => this.#sftp.realpath(path, done));
  }

  /** Returns at once; whether the server minds does not matter any more. */
  close(handle: Handle): void {
    this.#request<void>((done) => this.#sftp.close(handle, (error) => done(error, undefined))).catch(() => undefined);
  }

  #largeBuffer(): Buffer {
    const spare = this.#spare.pop();
    return spare ? Buffer.from(spare) : Buffer.allocUnsafeSlow(this.readLength);
  }

  #request<T>(send: (done: Callback<T>) => void): Promise<T> {
    const { over } = this.#connection;
    if (over.aborted) return Promise.reject(over.reason);
    if (this.#outstanding++ === 0) this.#quietTicks = 0;
    this.#connection.gather();
    return new Promise((resolve, reject) => {
      send((error, value) => {
        this.#outstanding--;
        this.#quietTicks = 0;
        if (!error) resolve(value);
        else if (over.aborted) reject(over.reason);
        else if (typeof error.code === "number") reject(new SftpStatusError(error.code, { cause: error }));
        else reject(connectionLost(this.#host, error));
      });
    });
  }

  #tick(): void {
    if (this.#outstanding > 0 && ++this.#quietTicks >= ticksToStall) this.#connection.destroy(stalled(this.#host));
  }
}
