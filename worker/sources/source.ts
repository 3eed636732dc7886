// The contract of every kind of source: connect to it once, ask what it is, and read it as a stream of entries.
import type { Entry, Warning } from "#artifact/node";
import type { Network } from "../network-policy.ts";

/** What opens a source, as the hub sealed it for this one job. */
export interface Secrets {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** OpenSSH or PEM. */
  readonly privateKey?: string | undefined;
  readonly passphrase?: string | undefined;
}

export interface ConnectOptions {
  /** As the customer wrote it: parsed by the source's own schema. */
  readonly config: unknown;
  readonly secrets: Secrets;
  /** `SHA256:…` of the host key seen at the first successful test. Null trusts any key: for that first test alone. */
  readonly pinnedHostKey: string | null;
  readonly allowedNetworks: readonly Network[];
  /** Ends the connection and everything that waits for it, at any time. */
  readonly signal: AbortSignal;
  /** How long a request may stay without an answer before the source counts as stalled; a minute where it is not set. */
  readonly stallMs?: number;
}

/** What a source test shows to the customer. */
export interface Identity {
  /** `SHA256:…`; null where the protocol has no host keys. */
  readonly hostKey: string | null;
  readonly serverVersion: string | null;
  /** A few names from the place that is to be backed up. */
  readonly sampleEntries: readonly string[];
}

export interface Estimate {
  readonly files: number;
  readonly bytes: number;
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
}

/** Throws `SourceError` or the reason of the signal. */
export type ConnectSource = (options: ConnectOptions) => Promise<Source>;
