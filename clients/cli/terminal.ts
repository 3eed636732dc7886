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
  readonly sessionFile: string;
  readonly color: boolean;
  /** Whether `stderr`, if it is a terminal, can draw over what it has drawn. */
  readonly redraws: boolean;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}
