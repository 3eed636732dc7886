// Decides which of the names that a peer sends may become entries, and says of the others why they may not.
import { type EntryPath, printablePath, type Warning } from "#artifact/node";

/** Three times what most file systems allow. */
const longestNameBytes = 765;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A name's bytes, one character for each: `Buffer.from(name, "latin1")` are they. */
export type RawName = string;

/** Null where an entry may be called so. `unspeakable` finds what the peer's protocol cannot ask for by name. */
export function nameRefusal(name: RawName, unspeakable: RegExp): Pick<Warning, "code" | "message"> | null {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    return { code: "NAME_REFUSED", message: "Left out: no file can be called that; the server is not to be trusted." };
  if (name.length > longestNameBytes)
    return { code: "NAME_REFUSED", message: `Left out: its name is longer than ${longestNameBytes} bytes.` };
  if (unspeakable.test(name))
    return { code: "NAME_REFUSED", message: "Left out: its name has a line break, and no command can carry one." };
  return null;
}

/** As an artifact names it: text where the bytes are UTF-8, themselves where they are not. */
export function entryPath(path: RawName): EntryPath {
  const bytes = Buffer.from(path, "latin1");
  try {
    return decoder.decode(bytes);
  } catch {
    return bytes;
  }
}

/** For warnings: bytes that are no UTF-8 and control characters as `\xff`. */
export function printableName(path: RawName): string {
  const text = printablePath(entryPath(path));
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** How a customer's text is sent. */
export function rawName(text: string): RawName {
  return Buffer.from(text).toString("latin1");
}
