// The records of a PAX extended header: what a ustar block has no room for.
import { writeAscii } from "../bytes.ts";
import { pathFromBytes } from "../entry-path.ts";
import { largestId, largestSize, nameFieldBytes } from "./layout.ts";

const lineFeed = 0x0a;

/** The facts of an entry that a ustar block may have no room for. */
interface LargeFacts {
  readonly size: number;
  readonly mtimeMs: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkName: Uint8Array | null;
}

export interface PaxRecord {
  /** The length of the whole record, and its key. */
  readonly lead: string;
  readonly value: string | Uint8Array;
  readonly length: number;
}

/** Those that the entry needs, in their order. `name` is the entry's with the slash of a directory. */
export function paxRecords(entry: LargeFacts, name: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = [];
  const put = (key: string, value: string | Uint8Array) => records.push(paxRecord(key, value));
  const { linkName, mtimeMs } = entry;
  const longName = !fitsField(name) ? name : null;
  const longLink = linkName && !fitsField(linkName) ? linkName : null;
  if ((longName && !isText(longName)) || (longLink && !isText(longLink))) put("hdrcharset", "BINARY");
  if (longName) put("path", longName);
  if (longLink) put("linkpath", longLink);
  if (entry.size > largestSize) put("size", String(entry.size));
  if (mtimeMs < 0 || mtimeMs % 1000 !== 0 || mtimeMs > largestSize * 1000) put("mtime", secondsText(mtimeMs));
  if (entry.uid > largestId) put("uid", String(entry.uid));
  if (entry.gid > largestId) put("gid", String(entry.gid));
  return records;
}

/** Short and ASCII: everything else goes where its encoding is defined. */
function fitsField(name: Uint8Array): boolean {
  if (name.length > nameFieldBytes) return false;
  for (let at = 0; at < name.length; at++) if ((name[at] ?? 0) >= 0x80) return false;
  return true;
}

function isText(name: Uint8Array): boolean {
  return typeof pathFromBytes(name) === "string";
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. Values that are text are ASCII. */
function paxRecord(key: string, value: string | Uint8Array): PaxRecord {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length += 1;
  return { lead: `${length} ${key}=`, value, length };
}

/** Answers where the next one begins. */
export function writeRecord(header: Uint8Array, at: number, { lead, value, length }: PaxRecord): number {
  writeAscii(header, at, lead);
  if (typeof value === "string") writeAscii(header, at + lead.length, value);
  else header.set(value, at + lead.length);
  header[at + length - 1] = lineFeed;
  return at + length;
}

function secondsText(mtimeMs: number): string {
  const magnitude = Math.abs(mtimeMs);
  const fraction = String(magnitude % 1000).padStart(3, "0");
  return `${mtimeMs < 0 ? "-" : ""}${Math.floor(magnitude / 1000)}.${fraction}`;
}
