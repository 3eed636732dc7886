// Names inside an artifact: their bytes, their printable form, and the ones that nobody may write or follow.
import type { EntryPath } from "./entry.ts";

/** Longest path or link target, in bytes. */
const maxNameBytes = 32_768;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** One character per byte, whatever the bytes: fit for keys of sets, not for showing. */
const byteKeys = new TextDecoder("latin1");

const slash = 0x2f;
const dot = 0x2e;

export function pathBytes(path: EntryPath): Uint8Array {
  return typeof path === "string" ? encoder.encode(path) : path;
}

/** A string where the bytes are valid UTF-8, a copy of the bytes where they are not. */
export function pathFromBytes(bytes: Uint8Array): EntryPath {
  try {
    return decoder.decode(bytes);
  } catch {
    return new Uint8Array(bytes);
  }
}

/** For warnings and messages: bytes that are no UTF-8 as `\xff`. */
export function printablePath(path: EntryPath): string {
  const decoded = typeof path === "string" ? path : pathFromBytes(path);
  if (typeof decoded === "string") return decoded;
  let printable = "";
  for (let at = 0; at < decoded.length; ) {
    const character = characterAt(decoded, at);
    printable += character?.text ?? `\\x${(decoded[at] ?? 0).toString(16).padStart(2, "0")}`;
    at += character?.length ?? 1;
  }
  return printable;
}

function characterAt(bytes: Uint8Array, at: number): { text: string; length: number } | null {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      return { text: decoder.decode(bytes.subarray(at, at + length)), length };
    } catch {
      // Not a character yet, or never one.
    }
  }
  return null;
}

/** Why `name` may not stand in an artifact, as the end of a sentence; null where it may. */
export function nameRefusal(name: Uint8Array): string | null {
  if (name.length === 0) return "is empty";
  if (name.length > maxNameBytes) return `is longer than ${maxNameBytes} bytes`;
  if (name[0] === slash) return "is absolute";
  let start = 0;
  for (let at = 0; at <= name.length; at++) {
    if (name[at] === 0) return "contains a NUL byte";
    if (at < name.length && name[at] !== slash) continue;
    const length = at - start;
    if (length === 0) return "has an empty part";
    if (length === 1 && name[start] === dot) return 'has a part "."';
    if (length === 2 && name[start] === dot && name[start + 1] === dot) return 'has a part ".."';
    start = at + 1;
  }
  return null;
}

/** Why a symbolic link may not point to `target`. Anywhere is allowed: links are kept, and never followed. */
export function targetRefusal(target: Uint8Array): string | null {
  if (target.length === 0) return "points nowhere";
  if (target.length > maxNameBytes) return `points to a name longer than ${maxNameBytes} bytes`;
  return target.includes(0) ? "points to a name with a NUL byte" : null;
}

export function isRoot(name: Uint8Array): boolean {
  return name.length === 1 && name[0] === dot;
}

export function nameKey(name: Uint8Array): string {
  return byteKeys.decode(name);
}
