// A directory or file on an FTP server as a source, encrypted unless its customer has decided otherwise.
import { posix } from "node:path";
import * as z from "zod";
import type { Entry, Warning } from "#artifact/node";
import { resolveHost } from "../network-policy.ts";
import { entryPath, printableName, type RawName, rawName } from "./entry-name.ts";
import type { FtpTarget } from "./ftp/data-connections.ts";
import { FtpRefusal, isPassing } from "./ftp/failure.ts";
import { entriesOf } from "./ftp/files.ts";
import { modifiedMs } from "./ftp/listing.ts";
import { FtpSession } from "./ftp/session.ts";
import { FtpSessions } from "./ftp/sessions.ts";
import { CertificateTrust, certificateSettings } from "./ftp/trust.ts";
import { type Found, walk } from "./ftp/walk.ts";
import { parseConfig } from "./parse-config.ts";
import { Selection, selectionSettings } from "./selection.ts";
import { type ConnectOptions, defaultStallMs, type Identity, type Source, type SourceFacts } from "./source.ts";
import { SourceError } from "./source-error.ts";

const sampleSize = 10;

/** What may stand in a command. */
const speakable = (text: string) => !/[\r\n\0]/.test(text);

const ftpConfig = z.object({
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).default(21),
  /** Where it is missing, the secrets have it. */
  username: z.string().min(1).max(256).refine(speakable).optional(),
  /** Absolute, or relative to where the sign-in leads. */
  path: z.string().min(1).max(4096).refine(speakable),
  /** `off` sends the password and all files readable for anyone on the way. */
  tls: z.enum(["required", "off"]).default("required"),
  certificate: certificateSettings.optional(),
  ...selectionSettings,
});

export async function connectFtp({
  config,
  secrets,
  allowedNetworks,
  signal,
  stallMs,
}: ConnectOptions): Promise<Source> {
  const { host, port, path, tls, certificate, username = secrets.username, ...limits } = parseConfig(ftpConfig, config);
  if (username === undefined || !speakable(username))
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      "This source has no user name to sign in with: add it to its settings.",
    );
  const trust = tls === "required" ? new CertificateTrust(host, certificate) : null;
  const target: FtpTarget = {
    host,
    address: await resolveHost(host, { allowedNetworks, signal }),
    port,
    username,
    password: secrets.password,
    trust,
    signal,
    stallMs: stallMs ?? defaultStallMs,
  };
  const first = await FtpSession.open(target);
  const sessions = new FtpSessions(first, { host, open: () => FtpSession.open(target), signal });
  const root = posix.resolve(first.home, rawName(path));
  return new FtpSource({ target, first, sessions, path, root, limits });
}

interface FtpParts {
  readonly target: FtpTarget;
  readonly first: FtpSession;
  readonly sessions: FtpSessions;
  /** As the customer wrote it. */
  readonly path: string;
  readonly root: RawName;
  readonly limits: ConstructorParameters<typeof Selection>[0];
}

class FtpSource implements Source {
  readonly #parts: FtpParts;

  constructor(parts: FtpParts) {
    this.#parts = parts;
  }

  async identify(): Promise<Identity> {
    const { banner } = this.#parts.first;
    const sampleEntries: string[] = [];
    for await (const { printable } of this.#found(() => undefined, 1))
      if (sampleEntries.push(printable) === sampleSize) break;
    const remarks = [this.#aboutEncryption(), this.#aboutListings()];
    return { hostKey: null, jumpHostKey: null, serverVersion: banner, sampleEntries, tools: {}, remarks };
  }

  async estimate() {
    const file = await this.#fileAtRoot();
    return file && { files: 1, bytes: file.size };
  }

  entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const { sessions, target } = this.#parts;
    return entriesOf(this.#found(warn), { sessions, host: target.host, warn });
  }

  facts(): SourceFacts {
    return { tools: {}, databases: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.sessions[Symbol.asyncDispose]();
  }

  async *#found(warn: (warning: Warning) => void, maxDepth?: number): AsyncGenerator<Found> {
    const { sessions, root, path, limits } = this.#parts;
    const selection = new Selection(limits);
    const file = await this.#fileAtRoot();
    if (file) {
      selection.count(file.size);
      yield file;
      return;
    }
    try {
      yield* walk(sessions, root, { selection, warn, ...(maxDepth !== undefined && { maxDepth }) });
    } catch (error) {
      if (error instanceof FtpRefusal) throw notFound(path, this.#parts.target.username, error);
      throw error;
    }
  }

  /** Null for a directory. A link is followed here, and nowhere else: the customer named it. */
  async #fileAtRoot(): Promise<Found | null> {
    const { sessions, root, path, target } = this.#parts;
    const state = await sessions.run(async (session) => {
      try {
        await session.enter(root);
        return null;
      } catch (noDirectory) {
        if (!(noDirectory instanceof FtpRefusal) || isPassing(noDirectory)) throw noDirectory;
        const found = await session.stateOf(root).catch((error: unknown) => {
          throw error instanceof FtpRefusal && !isPassing(error) ? notFound(path, target.username, error) : error;
        });
        return found ?? Promise.reject(notFound(path, target.username, noDirectory));
      }
    });
    if (!state) return null;
    const { base } = posix.parse(root);
    const about = { mode: null, uid: null, gid: null, target: null, identity: null };
    const name = {
      name: base,
      path: entryPath(base),
      printable: printableName(base),
      remotePath: root,
    };
    return { kind: "file", ...name, ...about, size: state.size, mtimeMs: modifiedMs(state.modified ?? "") ?? 0 };
  }

  #aboutEncryption(): string {
    const { fingerprint } = this.#parts.first;
    if (fingerprint === null)
      return "Nothing is encrypted on the way: the password and all files can be read by anyone between.";
    return `Everything is encrypted on the way; the certificate of the server has the fingerprint ${fingerprint}.`;
  }

  #aboutListings(): string {
    if (this.#parts.first.machineListings) return "The server lists times to the second (MLSD).";
    return "The server lists times to the minute alone and without a zone (LIST): they are taken as UTC.";
  }
}

function notFound(path: string, username: string, cause: unknown): SourceError {
  return new SourceError(
    "PATH_NOT_FOUND",
    `The path “${path}” does not exist on the server, or the user “${username}” has no right to read it.`,
    { cause },
  );
}
