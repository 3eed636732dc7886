// Reads the header of one tar entry and refuses any that is not, byte for byte, the one that the format prescribes for the entry.
import { ArtifactError } from "../errors.ts";
import { isHeaderOf, paddedBytes, type TarEntry } from "./header.ts";
import { blockBytes, kindTypes, maxPaxBytes, paxType, ustarField } from "./layout.ts";

/** What makes two blocks and the records of all but the longest names. */
const scratchBytes = 4096;

const kindsByType = new Map(
  Object.entries(kindTypes).map(([kind, type]) => [type.charCodeAt(0), kind as TarEntry["kind"]]),
);
const paxTypeCode = paxType.charCodeAt(0);
/** Of the length of a record. */
const maxDigits = 6;
const maxKeyLength = "hdrcharset".length;
const space = 0x20;
const equalsSign = 0x3d;

interface Field {
  readonly at: number;
  readonly length: number;
}

type Records = ReadonlyMap<string, Uint8Array>;

export class HeaderParser {
  /** A header is compared with the one that it should be, which is made in here. */
  readonly #scratch = new Uint8Array(scratchBytes);

  /** Length of the whole header that starts with this block. Throws `ArtifactError` `ARTIFACT_CORRUPT`. */
  lengthOf(first: Uint8Array, offset: number): number {
    if (first[ustarField.type.at] !== paxTypeCode) return blockBytes;
    const records = octal(first, ustarField.size);
    if (!(records <= maxPaxBytes)) throw damagedTar("an extended header's length", offset);
    return 2 * blockBytes + paddedBytes(records);
  }

  /**
   * The entry that this header, of the length told by `lengthOf`, is of; its names lie in the header's memory. Throws
   * `ArtifactError`: `ENTRY_REFUSED` for a kind of entry that is never written, else `ARTIFACT_CORRUPT`.
   */
  parse(header: Uint8Array, offset: number): TarEntry {
    const start = header.length - blockBytes;
    const kind = kindsByType.get(header[start + ustarField.type.at] ?? 0);
    if (kind === undefined)
      throw new ArtifactError("ENTRY_REFUSED", "The backup holds an entry that is neither file, directory nor link.", {
        offset,
      });
    const pax = start > 0 ? parseRecords(header, offset) : null;
    const block = start > 0 ? header.subarray(start) : header;
    const number = (key: "size" | "uid" | "gid") => {
      const value = pax?.get(key);
      return value ? Number(ascii(value, 0, value.length)) : octal(block, ustarField[key]);
    };
    const path = pax?.get("path") ?? text(block, ustarField.name);
    const mtime = pax?.get("mtime");
    const isLink = kind === "symlink" || kind === "hardlink";
    const entry: TarEntry = {
      kind,
      name: kind === "directory" ? path.subarray(0, -1) : path,
      size: number("size"),
      mode: octal(block, ustarField.mode),
      // Three digits follow the point, or it is refused below: without it, these are milliseconds, to the last one.
      mtimeMs: mtime ? Number(ascii(mtime, 0, mtime.length).replace(".", "")) : octal(block, ustarField.mtime) * 1000,
      uid: number("uid"),
      gid: number("gid"),
      linkName: isLink ? (pax?.get("linkpath") ?? text(block, ustarField.linkName)) : null,
    };
    if (!isSound(entry) || !isHeaderOf(entry, header, this.#scratch)) throw damagedTar("an entry's header", offset);
    return entry;
  }
}

function isSound({ kind, size, mode, mtimeMs, uid, gid }: TarEntry): boolean {
  return (
    Number.isSafeInteger(size) &&
    Number.isSafeInteger(mode) &&
    Number.isSafeInteger(mtimeMs) &&
    Number.isSafeInteger(uid) &&
    Number.isSafeInteger(gid) &&
    mode <= 0o7777 &&
    (kind === "file" ? size >= 0 : size === 0)
  );
}

/** What is not as the writer writes it shows when the whole header is compared. */
function parseRecords(header: Uint8Array, offset: number): Records {
  const records = new Map<string, Uint8Array>();
  const recordsEnd = blockBytes + octal(header, ustarField.size);
  for (let at = blockBytes; at < recordsEnd; ) {
    const afterLength = header.indexOf(space, at);
    const afterKey = header.indexOf(equalsSign, at);
    const end = at + Number(ascii(header, at, Math.min(afterLength, at + maxDigits)));
    if (afterLength === -1 || afterKey < afterLength || !(end > afterKey && end <= recordsEnd))
      throw damagedTar("an extended header", offset);
    const key = ascii(header, afterLength + 1, Math.min(afterKey, afterLength + 1 + maxKeyLength));
    records.set(key, header.subarray(afterKey + 1, end - 1));
    at = end;
  }
  return records;
}

/** NaN for what are not octal digits up to the last byte. */
function octal(block: Uint8Array, { at, length }: Field): number {
  let value = 0;
  for (let digit = at; digit < at + length - 1; digit++) {
    const code = block[digit] ?? 0;
    if (code < 0x30 || code > 0x37) return Number.NaN;
    value = value * 8 + code - 0x30;
  }
  return value;
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  let characters = "";
  for (let at = from; at < to; at++) characters += String.fromCharCode(bytes[at] ?? 0);
  return characters;
}

function text(block: Uint8Array, { at, length }: Field): Uint8Array {
  let end = at;
  while (end < at + length && block[end] !== 0) end += 1;
  return block.subarray(at, end);
}

export function damagedTar(what: string, offset: number): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `The archive in the backup is damaged at ${what}.`, { offset });
}
