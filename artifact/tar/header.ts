// Writes the header of one tar entry: POSIX ustar, with a PAX extended header in front where ustar cannot say it.
import { isUtf8 } from "node:buffer";
import type { Entry } from "../entry.ts";
import { blockBytes, kindTypes, nameFieldBytes, paxType, ustarField } from "./layout.ts";

export interface TarEntry {
  readonly kind: Entry["kind"];
  readonly name: Uint8Array;
  /** Bytes of content that follow; 0 for everything but files. */
  readonly size: number;
  readonly mode: number;
  /** Whole milliseconds. */
  readonly mtimeMs: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkName: Uint8Array | null;
}

const largestSize = 0o77777777777;
const largestId = 0o7777777;
const slash = Buffer.from("/");

/** The block or blocks in front of the entry's content. */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const name = entry.kind === "directory" ? Buffer.concat([entry.name, slash]) : entry.name;
  const records = paxRecords(entry, name);
  const extended = records.reduce((sum, record) => sum + record.length, 0);
  const header = Buffer.alloc(extended === 0 ? blockBytes : 2 * blockBytes + paddedBytes(extended));
  if (extended > 0) {
    writeBlock(header, { ...plainFields, type: paxType, name: paxName, size: extended });
    let at = blockBytes;
    for (const record of records) at += record.copy(header, at);
  }
  writeBlock(header.subarray(header.length - blockBytes), {
    type: kindTypes[entry.kind],
    name,
    linkName: entry.linkName,
    size: orZero(entry.size, largestSize),
    mode: entry.mode,
    mtime: orZero(Math.floor(entry.mtimeMs / 1000), largestSize),
    uid: orZero(entry.uid, largestId),
    gid: orZero(entry.gid, largestId),
  });
  return header;
}

/** `bytes` with the zeros that fill their last block. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

/** What ustar cannot say is in the extended header; its own field then says 0, as GNU tar writes it. */
function orZero(value: number, largest: number): number {
  return value >= 0 && value <= largest ? value : 0;
}

function paxRecords(entry: TarEntry, name: Uint8Array): Buffer[] {
  const records: Buffer[] = [];
  const put = (key: string, value: string | Uint8Array) => records.push(paxRecord(key, value));
  const long = (bytes: Uint8Array | null): bytes is Uint8Array => bytes !== null && !fitsField(bytes);
  const { linkName, mtimeMs } = entry;
  const longName = long(name);
  const longLink = long(linkName);
  if ((longName && !isUtf8(name)) || (longLink && !isUtf8(linkName))) put("hdrcharset", "BINARY");
  if (longName) put("path", name);
  if (longLink) put("linkpath", linkName);
  if (entry.size > largestSize) put("size", String(entry.size));
  if (mtimeMs < 0 || mtimeMs % 1000 !== 0 || mtimeMs > largestSize * 1000) put("mtime", secondsText(mtimeMs));
  if (entry.uid > largestId) put("uid", String(entry.uid));
  if (entry.gid > largestId) put("gid", String(entry.gid));
  return records;
}

/** Short and ASCII: everything else goes where its encoding is defined. */
function fitsField(name: Uint8Array): boolean {
  return name.length <= nameFieldBytes && name.every((byte) => byte < 0x80);
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  const rest = key.length + bytes.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), bytes, Buffer.from("\n")]);
}

function secondsText(mtimeMs: number): string {
  const magnitude = Math.abs(mtimeMs);
  const fraction = String(magnitude % 1000).padStart(3, "0");
  return `${mtimeMs < 0 ? "-" : ""}${Math.floor(magnitude / 1000)}.${fraction}`;
}

interface BlockFields {
  readonly type: string;
  readonly name: Uint8Array;
  readonly linkName: Uint8Array | null;
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
}

const paxName = Buffer.from("PaxHeader");
const plainFields = { linkName: null, mode: 0o644, mtime: 0, uid: 0, gid: 0 };

function writeBlock(block: Buffer, fields: BlockFields): void {
  block.set(fields.name.subarray(0, nameFieldBytes), ustarField.name.at);
  writeOctal(block, ustarField.mode, fields.mode);
  writeOctal(block, ustarField.uid, fields.uid);
  writeOctal(block, ustarField.gid, fields.gid);
  writeOctal(block, ustarField.size, fields.size);
  writeOctal(block, ustarField.mtime, fields.mtime);
  block.write(fields.type, ustarField.type.at, "latin1");
  if (fields.linkName) block.set(fields.linkName.subarray(0, nameFieldBytes), ustarField.linkName.at);
  block.write("ustar\u000000", ustarField.magic.at, "latin1");
  writeOctal(block, ustarField.deviceMajor, 0);
  writeOctal(block, ustarField.deviceMinor, 0);
  // The sum counts its own field as spaces.
  block.fill(0x20, ustarField.checksum.at, ustarField.checksum.at + ustarField.checksum.length);
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) sum += block[at] ?? 0;
  writeOctal(block, { at: ustarField.checksum.at, length: 7 }, sum);
}

/** Digits to the end of the field but one, then a NUL. */
function writeOctal(block: Buffer, field: { at: number; length: number }, value: number): void {
  let rest = value;
  for (let at = field.at + field.length - 2; at >= field.at; at--) {
    block[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  block[field.at + field.length - 1] = 0;
}
