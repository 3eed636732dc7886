// Writes the header of one tar entry: POSIX ustar, with a PAX extended header in front where ustar cannot say it.
import { concatBytes } from "@noble/hashes/utils.js";
import { isPrefix, writeAscii } from "../bytes.ts";
import type { Entry } from "../entry.ts";
import { blockBytes, kindTypes, largestId, largestSize, nameFieldBytes, paxType, ustarField } from "./layout.ts";
import { type PaxRecord, paxRecords, writeRecord } from "./pax-records.ts";

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

const encoder = new TextEncoder();
const slash = encoder.encode("/");

/** The block or blocks in front of the entry's content. */
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  const plan = planHeader(entry);
  const header = new Uint8Array(plan.length);
  writeHeader(header, plan);
  return header;
}

/** Whether `header` is the one that `encodeTarHeader` makes for the entry. `scratch` is memory to make it in, if it is long enough. */
export function isHeaderOf(entry: TarEntry, header: Uint8Array, scratch: Uint8Array): boolean {
  const plan = planHeader(entry);
  if (plan.length !== header.length) return false;
  const expected = plan.length > scratch.length ? new Uint8Array(plan.length) : scratch.fill(0, 0, plan.length);
  writeHeader(expected, plan);
  return isPrefix(header, expected);
}

interface HeaderPlan {
  readonly entry: TarEntry;
  readonly name: Uint8Array;
  readonly records: readonly PaxRecord[];
  readonly recordsLength: number;
  readonly length: number;
}

function planHeader(entry: TarEntry): HeaderPlan {
  const name = entry.kind === "directory" ? concatBytes(entry.name, slash) : entry.name;
  const records = paxRecords(entry, name);
  let recordsLength = 0;
  for (const record of records) recordsLength += record.length;
  const length = records.length === 0 ? blockBytes : 2 * blockBytes + paddedBytes(recordsLength);
  return { entry, name, records, recordsLength, length };
}

/** `header` holds zeros. */
function writeHeader(header: Uint8Array, { entry, name, records, recordsLength, length }: HeaderPlan): void {
  if (records.length > 0) {
    writeBlock(header, 0, { ...plainFields, type: paxType, name: paxName, size: recordsLength });
    let at = blockBytes;
    for (const record of records) at = writeRecord(header, at, record);
  }
  writeBlock(header, length - blockBytes, {
    type: kindTypes[entry.kind],
    name,
    linkName: entry.linkName,
    size: orZero(entry.size, largestSize),
    mode: entry.mode,
    mtime: orZero(Math.floor(entry.mtimeMs / 1000), largestSize),
    uid: orZero(entry.uid, largestId),
    gid: orZero(entry.gid, largestId),
  });
}

/** `bytes` with the zeros that fill their last block. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

/** What ustar cannot say is in the extended header; its own field then says 0, as GNU tar writes it. */
function orZero(value: number, largest: number): number {
  return value >= 0 && value <= largest ? value : 0;
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

const paxName = encoder.encode("PaxHeader");
const magic = "ustar\u000000";
const space = 0x20;
const checksumDigits = { at: ustarField.checksum.at, length: 7 };
const plainFields = { linkName: null, mode: 0o644, mtime: 0, uid: 0, gid: 0 };

/** Writes a block that holds zeros. */
function writeBlock(header: Uint8Array, start: number, fields: BlockFields): void {
  writeName(header, start + ustarField.name.at, fields.name);
  writeOctal(header, start, ustarField.mode, fields.mode);
  writeOctal(header, start, ustarField.uid, fields.uid);
  writeOctal(header, start, ustarField.gid, fields.gid);
  writeOctal(header, start, ustarField.size, fields.size);
  writeOctal(header, start, ustarField.mtime, fields.mtime);
  writeAscii(header, start + ustarField.type.at, fields.type);
  if (fields.linkName) writeName(header, start + ustarField.linkName.at, fields.linkName);
  writeAscii(header, start + ustarField.magic.at, magic);
  writeOctal(header, start, ustarField.deviceMajor, 0);
  writeOctal(header, start, ustarField.deviceMinor, 0);
  // The sum counts its own field as spaces. Behind the device numbers there are only zeros.
  let sum = ustarField.checksum.length * space;
  for (let at = start; at < start + ustarField.prefix.at; at++) sum += header[at] ?? 0;
  writeOctal(header, start, checksumDigits, sum);
  header[start + ustarField.checksum.at + checksumDigits.length] = space;
}

function writeName(header: Uint8Array, start: number, name: Uint8Array): void {
  const length = Math.min(name.length, nameFieldBytes);
  for (let at = 0; at < length; at++) header[start + at] = name[at] ?? 0;
}

/** Digits to the end of the field but one, then a NUL. */
function writeOctal(header: Uint8Array, start: number, field: { at: number; length: number }, value: number): void {
  let rest = value;
  for (let at = start + field.at + field.length - 2; at >= start + field.at; at--) {
    header[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}
