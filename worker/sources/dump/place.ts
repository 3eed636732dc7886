// Where dump programs run: here, or on the server that a source is reached through. One way of starting them for both.
import { SourceError } from "../source-error.ts";

export interface ToolCommand {
  /** Looked up in the PATH of the place. */
  readonly program: string;
  /** Words, each taken literally. Operands that others chose belong behind a `--` or into `env`. */
  readonly args: readonly string[];
  /** What the program gets besides `PATH`, `LC_ALL=C` and `HOME=/nonexistent`; nothing else is in its environment. No secrets: see below. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * A file that holds a secret: mode 0600, and without a name by the time the program runs. `pass` says how the program is told of
   * it, e.g. `(path) => ({ env: { PGPASSFILE: path } })` or `(path) => ({ args: [`--defaults-extra-file=${path}`] })`; its
   * arguments come before the command's. The path is the one of an open descriptor, and a regular file to whoever asks.
   */
  readonly secretFile?: SecretFile;
  /** How long it may write nothing at all, neither output nor complaints, before it counts as stalled. @default as long as it likes */
  readonly silenceMs?: number;
  /** The same before its output begins: it may wait for locks. @default silenceMs */
  readonly firstByteMs?: number;
  /**
   * What it may take of this machine's memory before it fails, where the system can hold it to that: a server that is not what it
   * claims to be may send without end. On another server the memory is that server's affair. @default as much as it likes
   */
  readonly maxMemoryBytes?: number;
}

interface SecretFile {
  readonly text: string;
  readonly pass: (path: string) => {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  };
}

export interface ToolEnd {
  /** 127 where there is no such program; null where a signal ended it, or where a server did not say how it ended. */
  readonly code: number | null;
  /** Such as `SIGKILL`. */
  readonly signal: string | null;
  /** The last 64 KiB of its standard error. For our eyes: never to be shown as it is. */
  readonly complaints: string;
}

/** Disposing ends the program, here at once, on a server with the next byte it writes; whoever started it disposes. */
export interface RunningTool extends AsyncDisposable {
  /**
   * Standard output, to be read to its end or ended with `return()`. Throws `SourceError` SOURCE_STALLED where the program falls
   * silent, SOURCE_DISCONNECTED where the connection to its server ends, or the reason of the signal. How the program itself ended
   * is not looked at here.
   */
  readonly output: AsyncIterable<Uint8Array>;
  /** Once it has ended and its output was read. Rejects with whatever `output` throws. */
  readonly ended: Promise<ToolEnd>;
}

export interface Place {
  /** Whether programs run on the server rather than here. */
  readonly isFar: boolean;
  /** Throws `SourceError` where a word holds a NUL, or where the server runs no commands. */
  run(command: ToolCommand): Promise<RunningTool>;
}

/** How much a program gathers before it writes it, where coreutils' stdbuf is at hand to tell it so. */
export const bufferBytes = 262_144;

/** Under which a started program finds its secret, whatever the place. */
const secretPath = "/dev/fd/3";

export interface Words {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The command with the way to its secret put in. Throws `SourceError` for a NUL, which no argument can carry. */
export function wordsOf({ program, args, env, secretFile }: ToolCommand): Words {
  const secret = secretFile?.pass(secretPath);
  const words = {
    program,
    args: [...(secret?.args ?? []), ...args],
    env: { LC_ALL: "C", HOME: "/nonexistent", ...env, ...secret?.env },
  };
  if ([program, ...words.args, ...Object.values(words.env)].some((word) => word.includes("\0")))
    throw new SourceError(
      "PATH_NOT_FOUND",
      "A name with a NUL character cannot be given to a dump program: change the settings of this source.",
    );
  return words;
}
