// Where things lie in a ustar block, for the writer and the reader.
import type { Entry } from "../entry.ts";

export const blockBytes = 512;
export const nameFieldBytes = 100;
/** Longest extended header: room for two names of the greatest length. */
export const maxPaxBytes = 131_072;

/** Greatest numbers that the fields hold. */
export const largestSize = 0o77777777777;
export const largestId = 0o7777777;

export const ustarField = {
  name: { at: 0, length: nameFieldBytes },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  mtime: { at: 136, length: 12 },
  checksum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  linkName: { at: 157, length: nameFieldBytes },
  magic: { at: 257, length: 8 },
  deviceMajor: { at: 329, length: 8 },
  deviceMinor: { at: 337, length: 8 },
  prefix: { at: 345, length: 155 },
} as const;

export const kindTypes: Readonly<Record<Entry["kind"], string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  directory: "5",
};
export const paxType = "x";

/** Whether the header of one entry can be this long: a block of its own, or behind a block and the records of an extended header. */
export function isHeaderLength(bytes: number): boolean {
  if (bytes === blockBytes) return true;
  return bytes % blockBytes === 0 && bytes > 2 * blockBytes && bytes <= 2 * blockBytes + maxPaxBytes;
}
