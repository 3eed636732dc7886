// A directory or file on an SFTP server as a source.
import { posix } from "node:path";
import { z } from "zod";
import type { Entry, Warning } from "#artifact/node";
import { resolveHost } from "../network-policy.ts";
import { parseConfig } from "./parse-config.ts";
import { runAhead } from "./run-ahead.ts";
import { describe, type Found, warnOfRefusal } from "./sftp-admission.ts";
import { bytesAhead, FileContent } from "./sftp-reads.ts";
import { SftpSession, SftpStatusError, sftpStatus } from "./sftp-session.ts";
import { walk } from "./sftp-walk.ts";
import type { ConnectOptions, Identity, Source } from "./source.ts";
import { SourceError } from "./source-error.ts";
import { connectSsh, type SshConnection } from "./ssh-connection.ts";

const defaultStallMs = 60_000;
/** Entries on their way at once: enough for small files over a slow line, far below the handles a server grants. */
const entriesAhead = 64;
const allBytesAhead = 4 * bytesAhead;
const sampleSize = 10;

const sftpConfig = z.object({
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).default(22),
  /** Where it is missing, the secrets have it. */
  username: z.string().min(1).max(256).optional(),
  path: z
    .string()
    .min(1)
    .max(4096)
    .refine((path) => !path.includes("\0")),
});

export async function connectSftp(options: ConnectOptions): Promise<Source> {
  const { secrets, pinnedHostKey, allowedNetworks, signal, stallMs = defaultStallMs } = options;
  const { host, port, path, username = secrets.username } = parseConfig(sftpConfig, options.config);
  if (username === undefined)
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      "This source has no user name to sign in with: add it to its settings.",
    );
  const address = await resolveHost(host, { allowedNetworks, signal });
  const connection = await connectSsh({ host, address, port, username, secrets, pinnedHostKey, signal });
  const session = new SftpSession(connection, { host, signal, stallMs });
  return new SftpSource({ connection, session, root: path.replace(/(?<=.)\/+$/, ""), username });
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
    return { hostKey: connection.hostKey, serverVersion: connection.serverVersion, sampleEntries };
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
