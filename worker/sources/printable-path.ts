// Shows a path as it may stand in a warning, whatever the bytes of its name.
import { type EntryPath, printablePath } from "#artifact/node";

/** Bytes that are no UTF-8, and control characters, as `\xff`. */
export function printable(path: EntryPath): string {
  return printablePath(path).replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
