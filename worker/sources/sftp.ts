// A directory or file on an SFTP server as a source.
import { posix } from "node:path";
import type { Entry, Warning } from "#artifact/node";
import { parseConfig } from "./parse-config.ts";
import { runAhead } from "./run-ahead.ts";
import { describe, type Found, warnOfRefusal } from "./sftp/admission.ts";
import { bytesAhead, FileContent } from "./sftp/reads.ts";
import { SftpSession, SftpStatusError, sftpStatus } from "./sftp/session.ts";
import { walk } from "./sftp/walk.ts";
import { type ConnectOptions, defaultStallMs, type Identity, type Source, type SourceFacts } from "./source.ts";
import { SourceError } from "./source-error.ts";
import { connectSsh, type SshConnection } from "./ssh/connection.ts";
import { remotePath, routeTo, sshRoute } from "./ssh/settings.ts";

/** Entries on their way at once: enough for small files over a slow line, far below the handles a server grants. */
const entriesAhead = 64;
const allBytesAhead = 4 * bytesAhead;
const sampleSize = 10;

const sftpConfig = sshRoute.extend({ path: remotePath });

export async function connectSftp(options: ConnectOptions): Promise<Source> {
  const { stallMs = defaultStallMs } = options;
  const { path, ...config } = parseConfig(sftpConfig, options.config);
  const route = routeTo(config, options.secrets, options);
  const connection = await connectSsh(route);
  const session = await openSession(connection, stallMs);
  return new SftpSource({ connection, session, root: path.replace(/(?<=.)\/+$/, ""), username: route.target.username });
}

async function openSession(connection: SshConnection, stallMs: number): Promise<SftpSession> {
  try {
    return await SftpSession.open(connection, stallMs);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

interface SftpParts {
  readonly connection: SshConnection;
  readonly session: SftpSession;
  /** Without a slash at its end. */
  readonly root: string;
  readonly username: string;
}

class SftpSource implements Source {
  readonly #parts: SftpParts;

  constructor(parts: SftpParts) {
    this.#parts = parts;
  }

  async identify(): Promise<Identity> {
    const { connection, session, root } = this.#parts;
    const found = await this.#findRoot();
    const sampleEntries: string[] = [];
    if (found.kind === "directory") {
      const sample = walk(session, root, { warn: () => undefined, maxDepth: 1 });
      for await (const { path } of sample) if (sampleEntries.push(path) === sampleSize) break;
    } else sampleEntries.push(found.path);
    const { hostKey, jumpHostKey, serverVersion } = connection;
    return { hostKey, jumpHostKey, serverVersion, sampleEntries, tools: {}, remarks: [] };
  }

  async estimate() {
    const found = await this.#findRoot();
    return found.kind === "file" ? { files: 1, bytes: found.size } : null;
  }

  async *entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const { session, root } = this.#parts;
    const found = await this.#findRoot();
    const all = found.kind === "directory" ? walk(session, root, { warn }) : only(found);
    const ready = runAhead(all, {
      start: (each) => prepare(session, each, warn),
      cost: ({ size }) => Math.min(size, bytesAhead),
      maxItems: entriesAhead,
      maxCost: allBytesAhead,
    });
    for await (const entry of ready) if (entry) yield entry;
  }

  facts(): SourceFacts {
    return { tools: {}, databases: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.session[Symbol.asyncDispose]();
  }

  /** A link is followed here, and nowhere else: the customer named it. */
  async #findRoot(): Promise<Found> {
    const { session, root } = this.#parts;
    const found = describe(
      { path: posix.basename(root), remotePath: root },
      await this.#tellingOfRoot(session.stat(root)),
      () => undefined,
    );
    if (!found) throw new SourceError("PATH_NOT_FOUND", `The path “${root}” is neither a file nor a directory.`);
    const handle = await this.#tellingOfRoot(
      found.kind === "directory" ? session.openDirectory(root) : session.open(root),
    );
    session.close(handle);
    return found;
  }

  async #tellingOfRoot<T>(asked: Promise<T>): Promise<T> {
    const { root, username } = this.#parts;
    try {
      return await asked;
    } catch (error) {
      if (!(error instanceof SftpStatusError)) throw error;
      const message =
        error.status === sftpStatus.permissionDenied
          ? `The user “${username}” has no right to read the path “${root}”.`
          : `The path “${root}” does not exist on the server.`;
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
      return { ...entry, content: new FileContent(session, handle, entry.size) };
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

async function* only(found: Found): AsyncGenerator<Found> {
  yield found;
}
