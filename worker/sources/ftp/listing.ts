// Reads what FTP servers answer to MLSD and LIST: names as they are on the wire, and what is said of them.
import type { RawName } from "../entry-name.ts";

export interface Listed {
  readonly name: RawName;
  readonly kind: "file" | "directory" | "symlink" | "special";
  /** Null where the listing does not tell, or nothing that can be. */
  readonly size: number | null;
  /** Null where the listing does not tell. */
  readonly mode: number | null;
  readonly mtimeMs: number;
  readonly uid: number | null;
  readonly gid: number | null;
  /** Of a symlink; null where the listing does not tell. */
  readonly target: RawName | null;
  /** What it is, whatever it is called; null where the listing does not tell. */
  readonly identity: string | null;
}

/** A line that nobody understands; null is one that says nothing. */
export type ParsedLine = Listed | "unknown" | null;

const longestLine = 8_192;
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const linkArrow = " -> ";
const dayMs = 86_400_000;

const unixLine =
  /^([-bcdlpsD])([-rwxsStTlL]{9})[.+@]? +(?:\d+ +)?(?:([^ ]+) +)?(?:([^ ]+) +)?(\d+)(?:, *\d+)? +(?:([A-Za-z]{3}) +(\d{1,2}) +(\d{4}|\d{1,2}:\d\d)|(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d)) (.+)$/s;
const dosLine = /^(\d\d)-(\d\d)-(\d{4}|\d\d) +(\d\d):(\d\d)([AP]M)? +(?:(<DIR>) {1,10}|(\d+) )(.+)$/s;

/** The lines of a listing, one at a time. A name may have a line feed in it where lines end in two characters. */
export function* linesOf(listing: Buffer): Generator<string> {
  const end = listing.includes("\r\n") ? "\r\n" : "\n";
  for (let at = 0; at < listing.length; ) {
    const next = listing.indexOf(end, at);
    const stop = next < 0 ? listing.length : next;
    if (stop > at) yield listing.toString("latin1", at, Math.min(stop, at + longestLine));
    at = stop + end.length;
  }
}

/** A line of MLSD: `type=file;size=5;modify=20261121223036;UNIX.mode=0644; name`. */
export function parseFacts(line: string): ParsedLine {
  const blank = line.indexOf(" ");
  if (blank < 0) return "unknown";
  const facts = new Map<string, string>();
  for (const fact of line.slice(0, blank).split(";")) {
    const [key = "", ...value] = fact.split("=");
    if (value.length > 0) facts.set(key.toLowerCase(), value.join("="));
  }
  const type = facts.get("type") ?? "";
  if (/^[cp]dir$/i.test(type)) return null;
  const link = /^OS\.unix=s(?:ym|oft)?link(?::(.*))?$/is.exec(type);
  const kinds: Readonly<Record<string, Listed["kind"]>> = { file: "file", dir: "directory" };
  const mode = facts.get("unix.mode") ?? "";
  return {
    name: line.slice(blank + 1),
    kind: link ? "symlink" : (kinds[type.toLowerCase()] ?? "special"),
    size: numberOf(facts.get("size")),
    mode: /^[0-7]{1,6}$/.test(mode) ? Number.parseInt(mode, 8) & 0o7777 : null,
    mtimeMs: modifiedMs(facts.get("modify") ?? "") ?? 0,
    uid: numberOf(facts.get("unix.owner") ?? facts.get("unix.uid")),
    gid: numberOf(facts.get("unix.group") ?? facts.get("unix.gid")),
    target: link?.[1] || null,
    identity: facts.get("unique") ?? null,
  };
}

/** A line of LIST as Unix writes it, or DOS. Times have no zone there: they are taken as UTC. */
export function parseLine(line: string, now: number): ParsedLine {
  if (/^total \d+$/i.test(line)) return null;
  return parseUnix(line, now) ?? parseDos(line) ?? "unknown";
}

/** `20261121223036.123`, in UTC; null where it is none. */
export function modifiedMs(text: string): number | null {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(text) ?? [];
  if (year === undefined) return null;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

function parseUnix(line: string, now: number): Listed | "unknown" | null {
  const found = unixLine.exec(line);
  if (!found) return null;
  const [, type = "", letters = "", owner, group, size, month = "", day, yearOrTime = "", ...rest] = found;
  const [isoYear, isoMonth, isoDay, isoTime = "", text = ""] = rest;
  const kinds: Readonly<Record<string, Listed["kind"]>> = { "-": "file", d: "directory", l: "symlink" };
  const kind = kinds[type] ?? "special";
  const arrow = kind === "symlink" ? arrowIn(text, Number(size)) : -1;
  const iso = isoYear !== undefined;
  return {
    name: arrow < 0 ? text : text.slice(0, arrow),
    kind,
    size: numberOf(size),
    mode: modeOf(letters),
    mtimeMs: iso
      ? Date.UTC(Number(isoYear), Number(isoMonth) - 1, Number(isoDay), ...clock(isoTime))
      : timeOf(months.indexOf(month.toLowerCase()), Number(day), yearOrTime, now),
    uid: numberOf(owner),
    gid: numberOf(group),
    target: arrow < 0 ? null : text.slice(arrow + linkArrow.length),
    identity: null,
  };
}

/** Names may have an arrow in them. The size of a link is the length of what comes after the one that is meant. */
function arrowIn(text: string, targetLength: number): number {
  const arrow = text.length - targetLength - linkArrow.length;
  return text.startsWith(linkArrow, arrow) ? arrow : text.indexOf(linkArrow);
}

function parseDos(line: string): Listed | null {
  const found = dosLine.exec(line);
  if (!found) return null;
  const [, month, day, year = "", hour, minute, half, directory, size, name = ""] = found;
  const hours = half === undefined ? Number(hour) : (Number(hour) % 12) + (half === "PM" ? 12 : 0);
  const years = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 70 ? 2000 : 1900);
  return {
    name,
    kind: directory === undefined ? "file" : "directory",
    size: numberOf(size),
    mode: null,
    mtimeMs: Date.UTC(years, Number(month) - 1, Number(day), hours, Number(minute)),
    uid: null,
    gid: null,
    target: null,
    identity: null,
  };
}

/** `Nov 21 2025` or, of the last months, `Nov 21 14:53`. */
function timeOf(month: number, day: number, yearOrTime: string, now: number): number {
  if (month < 0) return 0;
  if (!yearOrTime.includes(":")) return Date.UTC(Number(yearOrTime), month, day);
  const year = new Date(now).getUTCFullYear();
  const thisYear = Date.UTC(year, month, day, ...clock(yearOrTime));
  // The server's day may have begun before ours.
  return thisYear <= now + dayMs ? thisYear : Date.UTC(year - 1, month, day, ...clock(yearOrTime));
}

function clock(text: string): [number, number] {
  const [hour = 0, minute = 0] = text.split(":").map(Number);
  return [hour, minute];
}

/** Of `rwxr-sr-t`. */
function modeOf(letters: string): number {
  let mode = 0;
  for (const [at, letter] of [...letters].entries()) {
    const executes = at % 3 === 2;
    if (letter !== "-" && !(executes && /[STlL]/.test(letter))) mode |= 0o400 >> at;
    if (executes && /[sStT]/.test(letter)) mode |= 0o4000 >> Math.floor(at / 3);
  }
  return mode;
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
