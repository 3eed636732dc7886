// Names out of a foreign tar: their form in an artifact, byte for byte, and the ones that are not to be trusted.
import { type Buffer, isUtf8 } from "node:buffer";
import type { EntryPath } from "#artifact/node";

/** What an artifact takes. */
const mostNameBytes = 32_768;
const dot = 0x2e;
const slash = 0x2f;

/** Without `./` before it and slashes behind it; empty for the root of the tree. */
export function bareName(name: Buffer): Buffer {
  let start = 0;
  let end = name.length;
  while (end > start && name[end - 1] === slash) end--;
  while (name[start] === dot && name[start + 1] === slash && start < end) start += 2;
  if (end - start === 1 && name[start] === dot) start = end;
  return name.subarray(start, Math.max(start, end));
}

/** Whether it names something inside the tree. */
export function isFitName(name: Buffer): boolean {
  if (name.length === 0 || name.length > mostNameBytes || name[0] === slash || name.includes(0)) return false;
  for (let start = 0; start <= name.length; ) {
    const next = name.indexOf(slash, start);
    const end = next === -1 ? name.length : next;
    const length = end - start;
    if (length === 0 || (length <= 2 && name[start] === dot && name[end - 1] === dot)) return false;
    start = end + 1;
  }
  return true;
}

/** Whether a symbolic link may hold it. */
export function isFitTarget(target: Buffer): boolean {
  return target.length > 0 && target.length <= mostNameBytes && !target.includes(0);
}

/** A copy: text where the bytes are UTF-8. */
export function entryPath(name: Buffer): EntryPath {
  return isUtf8(name) ? name.toString("utf8") : new Uint8Array(name);
}
