// The content of a dump's entry: the output of a program that must have ended well and written what only a whole dump has.
import { SourceError } from "../source-error.ts";
import type { RunningTool, ToolEnd } from "./place.ts";

/** What tells a whole dump from one that was cut. One object for one dump. */
export interface Trailer {
  /** Sees every chunk before it is handed on; keeps none of it. May throw `SourceError`. */
  take(chunk: Uint8Array): void;
  /** Asked once, when the program ended well. */
  isComplete(): boolean;
}

export interface DumpOptions {
  readonly program: string;
  readonly trailer: Trailer;
  /** Knows the program's complaints when it failed: a better code and sentence, which never quotes them, or null. */
  readonly refuse?: (end: ToolEnd) => SourceError | null;
  /** Told of complaints of a program that ended well all the same; for a warning in words of our own. */
  readonly complained?: (complaints: string) => void;
}

/**
 * Starts the program when its first byte is asked for, and ends it when the reader does. After the last byte throws `SourceError`:
 * DUMP_FAILED (or what `refuse` has) unless the program ended with exit code 0, DUMP_TRUNCATED where it did and the trailer is
 * missing. While it runs: SOURCE_STALLED, SOURCE_DISCONNECTED or the reason of the signal. So no reader ever comes to the end of a
 * dump that is not whole.
 */
export async function* verifiedDump(
  start: () => Promise<RunningTool>,
  options: DumpOptions,
): AsyncGenerator<Uint8Array> {
  const { program, trailer, refuse, complained } = options;
  await using running = await start();
  for await (const chunk of running.output) {
    trailer.take(chunk);
    yield chunk;
  }
  const end = await running.ended;
  if (end.code !== 0 || end.signal !== null) throw refuse?.(end) ?? dumpFailed(program, end);
  if (!trailer.isComplete())
    throw new SourceError(
      "DUMP_TRUNCATED",
      `The program ${program} claimed success, but the end of its dump is missing: check its connection to the database, and the disk and the memory of the machine it runs on.`,
      { cause: new Error(end.complaints) },
    );
  if (end.complaints.trim() !== "") complained?.(end.complaints);
}

const keptTail = 4096;

/** Of a dump that is text: its last 4 KiB must match. Such as `/^-- Dump completed/m`. */
export function textTrailer(pattern: RegExp): Trailer {
  let tail = Buffer.alloc(0);
  return {
    take(chunk) {
      // Copied: the chunk's memory is its reader's, and may be used again.
      tail =
        chunk.length >= keptTail
          ? Buffer.from(chunk.subarray(-keptTail))
          : Buffer.concat([tail, chunk]).subarray(-keptTail);
    },
    isComplete: () => pattern.test(tail.toString("latin1")),
  };
}

function dumpFailed(program: string, { code, signal, complaints }: ToolEnd): SourceError {
  const how =
    signal !== null
      ? `was ended by the signal ${printable(signal)}: the machine it runs on may be short of memory`
      : code === null
        ? "ended without saying how: the connection to the machine it runs on may have broken"
        : `failed with exit code ${code}: try it by hand with the settings of this source`;
  return new SourceError("DUMP_FAILED", `The program ${program} ${how}.`, { cause: new Error(complaints) });
}

/** The name of a signal comes from a server. */
function printable(signal: string): string {
  return /^[A-Z0-9+-]{1,16}$/.test(signal) ? signal : "?";
}
