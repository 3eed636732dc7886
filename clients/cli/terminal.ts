// What a command reads from and writes to, and how long it may run.
import type { Readable, Writable } from "node:stream";

/** A terminal, a pipe or a file. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
}

export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** For what was asked for. */
  readonly stdout: Output & Writable;
  /** For everything said besides: progress, warnings, failures. */
  readonly stderr: Output;
  /** Where the sign-in is kept. */
  readonly sessionFile: string;
  /** Shows who asks, instead of the sign-in that is kept. */
  readonly apiKey: string | undefined;
  /** Where the hub is that `apiKey` is for, unless it is that of the sign-in. */
  readonly hubUrl: string | undefined;
  readonly color: boolean;
  /** Whether `stderr`, if it is a terminal, can draw over what it has drawn. */
  readonly redraws: boolean;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}
