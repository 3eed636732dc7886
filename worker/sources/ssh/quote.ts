// Puts words that others chose into a command line for a POSIX shell, so that it takes each of them literally.
import { SourceError } from "../source-error.ts";

/** One word: `it's` becomes `'it'\''s'`. Throws `SourceError` for a word with a NUL, which no command line can carry. */
export function quote(word: string): string {
  if (word.includes("\0"))
    throw new SourceError("PATH_NOT_FOUND", "A name with a NUL character cannot be given to the server: change it.");
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Words with blanks between them, every one of them quoted. */
export function commandLine(words: readonly string[]): string {
  return words.map(quote).join(" ");
}
