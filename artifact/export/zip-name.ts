// Finds the name under which an entry stands in a ZIP: its own, unless archiver would change it unasked or no ZIP can hold it.
import { isUtf8 } from "node:buffer";
import type { EntryPath } from "../entry.ts";

/**
 * The path itself where a ZIP holds it unchanged. Otherwise with every character that cannot stay as `%XX`: a backslash (a separator
 * to many tools), the colon of what looks like a drive, and bytes that are no UTF-8.
 */
export function zipName(path: EntryPath): string {
  return (typeof path === "string" ? path : decode(path)).replace(/\\/g, "%5C").replace(/^(\w+):/, "$1%3A");
}

/** Part by part: one odd name does not disfigure the directories above it. */
function decode(path: Uint8Array): string {
  const parts = Buffer.from(path).toString("latin1").split("/");
  return parts.map((part) => decodePart(Buffer.from(part, "latin1"))).join("/");
}

function decodePart(part: Buffer): string {
  if (isUtf8(part)) return part.toString();
  return part.toString("latin1").replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
