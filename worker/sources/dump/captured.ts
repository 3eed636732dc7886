// Runs a program whose output is short, and gives it as one text.
import { SourceError } from "../source-error.ts";
import type { Place, ToolCommand, ToolEnd } from "./place.ts";

export interface Captured extends ToolEnd {
  /** Standard output, as UTF-8. */
  readonly text: string;
}

const mebibyte = 1_048_576;

/** Throws as running it does, and DUMP_FAILED for output over `maxBytes`. A `silenceMs` is wanted: this is a wait like any other. */
export async function captured(
  place: Place,
  command: ToolCommand & { readonly silenceMs: number },
  maxBytes = mebibyte,
): Promise<Captured> {
  await using running = await place.run(command);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of running.output) {
    length += chunk.length;
    if (length > maxBytes)
      throw new SourceError("DUMP_FAILED", `The program ${command.program} wrote more than an answer can be.`);
    chunks.push(Uint8Array.from(chunk));
  }
  return { ...(await running.ended), text: Buffer.concat(chunks).toString() };
}
