// Finds out which of several programs a place has, and in which version.
import { captured } from "./captured.ts";
import type { Place } from "./place.ts";

const answerMs = 30_000;

export interface FoundTool {
  readonly program: string;
  /** Of the release, e.g. `15.20` or `10.11.14`. */
  readonly version: string;
  /** The first line it says of itself, printable and at most 200 characters: names its maker, which tells MariaDB from MySQL. */
  readonly banner: string;
}

/** The first that answers to `--version`; null where none does. Throws as running a program does. */
export async function findTool(place: Place, names: readonly string[]): Promise<FoundTool | null> {
  for (const program of names) {
    const { code, text } = await captured(place, { program, args: ["--version"], silenceMs: answerMs });
    const banner = (text.split("\n", 1)[0] ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
    const version = versionIn(banner);
    if (code === 0 && version !== null) return { program, version, banner };
  }
  return null;
}

/** MariaDB's programs say two versions, of the program itself and of the release it came with; the release is the one that counts. */
function versionIn(banner: string): string | null {
  const number = /(\d+(?:\.\d+)*)/;
  const after = (word: string) => new RegExp(`\\b${word} ${number.source}`).exec(banner)?.[1];
  return after("Distrib") ?? after("from") ?? after("Ver") ?? number.exec(banner)?.[1] ?? null;
}
