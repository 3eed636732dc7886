// Reads one header block of a tar that any program may have written: V7, ustar or GNU.
import { Buffer } from "node:buffer";

export const blockBytes = 512;

export interface Header {
  /** As its character code; see `types`. */
  readonly type: number;
  readonly name: Buffer;
  readonly linkName: Buffer;
  /** As the header says, which may be anything: NaN where it is no number. */
  readonly size: number;
  readonly mode: number;
  /** Seconds. */
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
}

const checksumAt = 148;
const checksumEnd = 156;
const typeAt = 156;
const magicAt = 257;
const zero = 0x30;
const space = 0x20;

/** Null for an empty block; `garbled` where it is no header at all. Names lie in the memory of the block. */
export function readHeader(block: Buffer): Header | "garbled" | null {
  let sum = 0;
  for (let at = 0; at < checksumAt; at++) sum += block[at] ?? 0;
  sum += (checksumEnd - checksumAt) * space;
  for (let at = checksumEnd; at < blockBytes; at++) sum += block[at] ?? 0;
  const stated = number(block, checksumAt, 8);
  if (sum === (checksumEnd - checksumAt) * space && stated === 0) return null;
  if (sum !== stated) return "garbled";
  return {
    type: block[typeAt] ?? 0,
    name: nameOf(block),
    linkName: text(block, 157, 100),
    size: number(block, 124, 12),
    mode: number(block, 100, 8),
    mtime: number(block, 136, 12),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
  };
}

/** In GNU's own headers the place of the prefix holds other things. */
function nameOf(block: Buffer): Buffer {
  const name = text(block, 0, 100);
  const isUstar = block[magicAt + 5] === 0 && block.toString("latin1", magicAt, magicAt + 5) === "ustar";
  if (!isUstar || block[345] === 0) return name;
  return Buffer.concat([text(block, 345, 155), Buffer.from("/"), name]);
}

function text(block: Buffer, at: number, length: number): Buffer {
  const end = block.indexOf(0, at);
  return block.subarray(at, end === -1 || end > at + length ? at + length : end);
}

/** Octal digits between blanks; or, where the first bit is set, a number of base 256. */
function number(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  if (first >= 0x80) return base256(block, at, length);
  let value = 0;
  let digits = 0;
  for (let index = at; index < at + length; index++) {
    const code = block[index] ?? 0;
    if (code >= zero && code < zero + 8) {
      value = value * 8 + code - zero;
      digits++;
    } else if (code !== space && code !== 0) return Number.NaN;
    else if (digits > 0) break;
  }
  return value;
}

function base256(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  // Two's complement: of a negative number all the bits in front are set.
  let value = first === 0xff ? -1 : first & 0x7f;
  for (let index = at + 1; index < at + length; index++) value = value * 256 + (block[index] ?? 0);
  return value;
}
