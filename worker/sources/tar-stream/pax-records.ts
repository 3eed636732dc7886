// The records of a PAX extended header: facts of the entry behind it that its own header has no room for.
import type { Buffer } from "node:buffer";

export interface PaxRecords {
  readonly path?: Buffer;
  readonly linkpath?: Buffer;
  readonly size?: number;
  /** Seconds, with a fraction. */
  readonly mtime?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The content is a map and then pieces of the file, in one of GNU tar's three ways. */
  readonly isSparse?: boolean;
}

const lineFeed = 0x0a;
const space = 0x20;
const equalsSign = 0x3d;

/** `<length> <key>=<value>\n`, one after another. Keys of no interest are passed over; null where the records are damaged. */
export function readPaxRecords(bytes: Buffer): PaxRecords | null {
  const records: { -readonly [Key in keyof PaxRecords]: PaxRecords[Key] } = {};
  for (let at = 0; at < bytes.length; ) {
    const afterLength = bytes.indexOf(space, at);
    const length = Number(bytes.toString("latin1", at, afterLength));
    const end = at + length;
    const afterKey = bytes.indexOf(equalsSign, afterLength);
    if (afterLength === -1 || !Number.isSafeInteger(length) || end > bytes.length || bytes[end - 1] !== lineFeed)
      return null;
    if (afterKey === -1 || afterKey >= end) return null;
    const key = bytes.toString("latin1", afterLength + 1, afterKey);
    const value = bytes.subarray(afterKey + 1, end - 1);
    if (key === "path" || key === "linkpath") records[key] = value;
    else if (key === "size" || key === "mtime" || key === "uid" || key === "gid") records[key] = decimal(value);
    else if (key.startsWith("GNU.sparse.")) records.isSparse = true;
    at = end;
  }
  return records;
}

function decimal(value: Buffer): number {
  const digits = value.toString("latin1");
  return /^-?\d{1,20}(\.\d{1,20})?$/.test(digits) ? Number(digits) : Number.NaN;
}
