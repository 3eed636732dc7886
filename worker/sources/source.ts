// The contract of every kind of source: connect to it once, ask what it is, and read it as a stream of entries.
import type { Entry, Manifest, Warning } from "#artifact/node";
import type { Network } from "../network-policy.ts";

/** What signs in to one server: a password, private keys, or both. */
export interface SignIn {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** OpenSSH or PEM; several may follow one another in one text, and are tried in their order. */
  readonly privateKey?: string | undefined;
  /** Of those private keys that have one. */
  readonly passphrase?: string | undefined;
}

/** What opens a source, as the hub sealed it for this one job. */
export interface Secrets extends SignIn {
  /** For the SSH server that a database is reached through. */
  readonly ssh?: SignIn | undefined;
  /** For the jump host in front of an SSH server. */
  readonly jump?: SignIn | undefined;
}

/** Host keys as seen at the first successful test, `SHA256:…`. Null trusts any key: for that first test alone. */
export interface HostKeys {
  readonly hostKey: string | null;
  /** Of the jump host, where there is one. */
  readonly jumpHostKey: string | null;
}

/** A line of the job's own log, for its customer to read. */
export interface LogLine {
  readonly kind: "hook";
  /** What is being done, such as `before`. */
  readonly step: string;
  /** Printable text of bounded length. */
  readonly text: string;
}

export interface ConnectOptions {
  /** As the customer wrote it: parsed by the source's own schema. */
  readonly config: unknown;
  readonly secrets: Secrets;
  readonly pinned: HostKeys;
  readonly allowedNetworks: readonly Network[];
  /** A directory of this process alone, for what may lie on a disk: never the content of a source in clear. */
  readonly tempBase: string;
  /** Takes lines for the job's log; never waits. */
  readonly log: (line: LogLine) => void;
  /** Ends the connection and everything that waits for it, at any time. */
  readonly signal: AbortSignal;
  /** How long nothing may come before the source counts as stalled; a minute where it is not set. */
  readonly stallMs?: number;
  /** Folders to look for dump programs in, with colons between them; the system's usual ones where it is not set. */
  readonly toolPath?: string;
}

/** What a source test shows to the customer. */
export interface Identity extends HostKeys {
  readonly serverVersion: string | null;
  /** A few names from what is to be backed up. */
  readonly sampleEntries: readonly string[];
  /** Programs that a backup runs, near or far, and their versions: `{ "pg_dump": "15.20" }`. */
  readonly tools: Readonly<Record<string, string>>;
  /** Sentences: what there is to know before the first backup, such as privileges that are missing. */
  readonly remarks: readonly string[];
}

export interface Estimate {
  readonly files: number;
  readonly bytes: number;
}

/** What the manifest says of how a snapshot was taken. */
export interface SourceFacts {
  /** Programs that took part and their versions. */
  readonly tools: Readonly<Record<string, string>>;
  readonly databases: NonNullable<Manifest["databases"]>;
}

/** A connected source. Every method throws `SourceError` or the reason of the signal. Disposing closes the connection. */
export interface Source extends AsyncDisposable {
  /** Throws PATH_NOT_FOUND where there is nothing to read. */
  identify(): Promise<Identity>;
  /** Null where counting would take as long as reading. */
  estimate(): Promise<Estimate | null>;
  /**
   * Everything there is, in the order it is to be stored; read it once. Runs ahead of its reader within a fixed amount of memory.
   * What cannot be read is left out and told to `warn`. A chunk of content is its reader's until the next one is asked for: then its
   * memory is used again.
   */
  entries(warn: (warning: Warning) => void): AsyncIterable<Entry>;
  /** Complete once the entries were read to their end. */
  facts(): SourceFacts;
}

/** Throws `SourceError` or the reason of the signal. */
export type ConnectSource = (options: ConnectOptions) => Promise<Source>;

/** The one figure of it: what has begun to send and then sends nothing for this long is stalled, whatever kind of source it is. */
export const defaultStallMs = 60_000;

/**
 * How many times as long a program may take to its first byte: before a dump it may wait for locks and read all of a catalogue, and
 * a directory of millions of names is read as a whole before the first of them is sent.
 */
export const stallsToFirstByte = 5;
