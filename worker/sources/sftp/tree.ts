// A file or directory on an SSH server, read over SFTP.
import { posix } from "node:path";
import type { Entry, Warning } from "#artifact/node";
import { runAhead } from "../run-ahead.ts";
import type { Selection } from "../selection.ts";
import type { Estimate } from "../source.ts";
import { SourceError } from "../source-error.ts";
import { describe, type Found, warnOfRefusal } from "./admission.ts";
import { bytesAhead, FileContent } from "./reads.ts";
import { type Handle, type SftpSession, SftpStatusError, sftpStatus } from "./session.ts";
import { walk } from "./walk.ts";

const allBytesAhead = 4 * bytesAhead;
/** A shorter file is read as one. */
const mostAtHand = 65_536;
const sampleSize = 10;

export interface SftpTreeOptions {
  /** Of a file or directory on the server. */
  readonly path: string;
  readonly selection: Selection;
  /** For messages. */
  readonly username: string;
}

/** Lives as long as its session, which stays its owner's. Methods throw `SourceError` or the reason of the connection's signal. */
export class SftpTree {
  readonly method = "sftp";
  readonly tool = null;
  readonly #session: SftpSession;
  readonly #root: string;
  readonly #selection: Selection;
  readonly #username: string;

  constructor(session: SftpSession, { path, selection, username }: SftpTreeOptions) {
    this.#session = session;
    this.#root = path.replace(/(?<=.)\/+$/, "");
    this.#selection = selection;
    this.#username = username;
  }

  /** A few names, of the uppermost level alone. Throws PATH_NOT_FOUND where there is nothing to read. */
  async sample(): Promise<string[]> {
    const found = await this.#findRoot();
    if (found.kind !== "directory") return [found.path];
    const names: string[] = [];
    const options = { warn: () => undefined, maxDepth: 1, selection: this.#selection };
    for await (const { path } of walk(this.#session, this.#root, options)) if (names.push(path) === sampleSize) break;
    return names;
  }

  /** Null for a directory. Throws as `sample` does. */
  async estimate(): Promise<Estimate | null> {
    const found = await this.#findRoot();
    return found.kind === "file" ? { files: 1, bytes: found.size } : null;
  }

  async *entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const found = await this.#findRoot();
    const selection = this.#selection;
    const all =
      found.kind === "directory" ? walk(this.#session, this.#root, { warn, selection }) : only(found, selection);
    const ready = runAhead(all, {
      start: (each) => prepare(this.#session, each, warn),
      cost: ({ size }) => Math.min(size, bytesAhead),
      maxItems: this.#session.openFiles,
      maxCost: allBytesAhead,
    });
    for await (const entry of ready) if (entry) yield entry;
  }

  /** A link is followed here, and nowhere else: the customer named it. */
  async #findRoot(): Promise<Found> {
    const root = this.#root;
    const found = describe(
      { path: posix.basename(root), remotePath: root },
      await this.#tellingOfRoot(this.#session.stat(root)),
      () => undefined,
    );
    if (!found) throw new SourceError("PATH_NOT_FOUND", `The path “${root}” is neither a file nor a directory.`);
    const handle = await this.#tellingOfRoot(
      found.kind === "directory" ? this.#session.openDirectory(root) : this.#session.open(root),
    );
    this.#session.close(handle);
    return found;
  }

  async #tellingOfRoot<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      if (!(error instanceof SftpStatusError)) throw error;
      const message =
        error.status === sftpStatus.permissionDenied
          ? `The user “${this.#username}” has no right to read the path “${this.#root}”.`
          : `The path “${this.#root}” does not exist on the server.`;
      throw new SourceError("PATH_NOT_FOUND", message, { cause: error });
    }
  }
}

/** Null where the entry cannot be had any more; then `warn` was told. */
async function prepare(session: SftpSession, found: Found, warn: (warning: Warning) => void): Promise<Entry | null> {
  const { remotePath, ...entry } = found;
  try {
    if (entry.kind === "file") {
      const handle = await session.open(remotePath);
      const bytes = entry.size < mostAtHand ? await readWhole(session, handle, entry.size) : null;
      return bytes ? { ...entry, bytes } : { ...entry, content: new FileContent(session, handle, entry.size) };
    }
    if (entry.kind === "directory") return entry;
    const linkTarget = await session.readLink(remotePath);
    if (!linkTarget.includes("\ufffd")) return { ...entry, linkTarget };
    warn({ code: "NAME_NOT_UTF8", path: entry.path, message: "Left out: the name it links to is not UTF-8." });
    return null;
  } catch (error) {
    warnOfRefusal(error, entry.path, warn);
    return null;
  }
}

/** All of a small file, whose handle is closed then; null where it is not as long as it was said to be, or cannot be read. */
async function readWhole(session: SftpSession, handle: Handle, size: number): Promise<Uint8Array | null> {
  if (size >= session.readLength) return null;
  try {
    const bytes = await session.read(handle, 0, size + 1);
    if (bytes.length !== size) return null;
    session.close(handle);
    return bytes;
  } catch (error) {
    if (error instanceof SftpStatusError) return null;
    throw error;
  }
}

async function* only(found: Found, selection: Selection): AsyncGenerator<Found> {
  selection.count(found.size);
  yield found;
}
