// Reads along with a pg_dump archive in custom format as it passes: tells whether it is whole, and how many rows each table has in it.
//
// The format has no trailer. But its table of contents comes first and names every item that has data, and each item's data ends
// with a block of length zero: an archive is whole where all of them came and ended. What the rows are is not looked at, only where
// lines end, which COPY writes one of for every row. See src/bin/pg_dump/pg_backup_archiver.c and pg_backup_custom.c of PostgreSQL.
import type { Trailer } from "../dump/verified-dump.ts";

export interface ArchivedTable {
  readonly schema: string;
  readonly name: string;
  /** In this archive. Null where they are not lines. */
  readonly rows: number | null;
}

export interface ArchiveOptions {
  /** How many tables to count the rows of: the first ones. */
  readonly maxTables: number;
}

/** The archive is of a version that came after 1.16 (PostgreSQL 18), so that nothing is known of its end. */
export const unknownVersion = "unknown version";

/** Archive versions of pg_dump 9.2 (1.12) to 18 (1.16). */
const oldestKnown = 12;
const newestKnown = 16;
const custom = 1;
const dataBlock = 1;
const largeObjectsBlock = 3;
const newline = 0x0a;
const longestName = 1024;
/** Far more than any server can have: what says so is no table of contents. */
const mostItems = 50_000_000;

interface Count {
  readonly schema: string;
  readonly name: string;
  rows: number | null;
}

/** Something that is no archive, or a damaged one. */
class NotAnArchiveError extends Error {
  override readonly name = "NotAnArchiveError";
}

export class Archive implements Trailer {
  readonly #maxTables: number;
  readonly #counts = new Map<number, Count>();
  /** Items whose data has not come yet. */
  readonly #awaited = new Set<number>();
  readonly #reading: Generator<void, void>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** The first one at or after some place that was passed already. */
  #newlineAt = -1;
  #intBytes = 4;
  #offsetBytes = 8;
  #betweenItems = false;
  #state: "reading" | "unreadable" | typeof unknownVersion = "reading";

  constructor({ maxTables }: ArchiveOptions) {
    this.#maxTables = maxTables;
    this.#reading = this.#read();
    this.#reading.next();
  }

  take(chunk: Uint8Array): void {
    if (this.#state !== "reading") return;
    this.#chunk = chunk;
    this.#at = 0;
    this.#newlineAt = -1;
    try {
      this.#reading.next();
    } catch (error) {
      if (!(error instanceof NotAnArchiveError)) throw error;
      this.#state = "unreadable";
    }
  }

  isComplete(): boolean {
    if (this.#state === "reading") return this.#betweenItems && this.#awaited.size === 0;
    return this.#state === unknownVersion;
  }

  /** Whether `isComplete` could tell: only the exit code speaks for an archive of a newer version. */
  get isVerifiable(): boolean {
    return this.#state !== unknownVersion;
  }

  /** In the order of the table of contents. */
  tables(): readonly ArchivedTable[] {
    return [...this.#counts.values()];
  }

  *#read(): Generator<void, void> {
    const version = yield* this.#header();
    if (version > newestKnown) {
      this.#state = unknownVersion;
      return;
    }
    const items = yield* this.#int();
    if (items < 0 || items > mostItems) throw new NotAnArchiveError(`${items} items`);
    for (let index = 0; index < items; index++) yield* this.#item(version);
    for (;;) {
      this.#betweenItems = true;
      const kind = yield* this.#byte();
      this.#betweenItems = false;
      const id = yield* this.#int();
      if (!this.#awaited.delete(id)) throw new NotAnArchiveError(`data of item ${id}, which has none`);
      if (kind === dataBlock) yield* this.#data(this.#counts.get(id) ?? null);
      else if (kind === largeObjectsBlock) while ((yield* this.#int()) !== 0) yield* this.#data(null);
      else throw new NotAnArchiveError(`a block of kind ${kind}`);
    }
  }

  *#header(): Generator<void, number> {
    for (const letter of Buffer.from("PGDMP"))
      if ((yield* this.#byte()) !== letter) throw new NotAnArchiveError("another beginning");
    const major = yield* this.#byte();
    const minor = yield* this.#byte();
    if (major !== 1 || minor > newestKnown) return newestKnown + 1;
    if (minor < oldestKnown) throw new NotAnArchiveError(`version 1.${minor}`);
    yield* this.#skip(1);
    this.#intBytes = yield* this.#byte();
    this.#offsetBytes = yield* this.#byte();
    if (this.#intBytes < 4 || this.#intBytes > 8 || this.#offsetBytes > 8 || (yield* this.#byte()) !== custom)
      throw new NotAnArchiveError("of another format");
    // Compression, the time in seven numbers; then the database and two versions.
    yield* this.#skip((minor >= 15 ? 1 : this.#bytesOfInt) + 7 * this.#bytesOfInt);
    for (let index = 0; index < 3; index++) yield* this.#skipText();
    return minor;
  }

  get #bytesOfInt(): number {
    return 1 + this.#intBytes;
  }

  *#item(version: number): Generator<void, void> {
    const id = yield* this.#int();
    const hasData = (yield* this.#int()) !== 0;
    yield* this.#skipText(); // catalogue
    yield* this.#skipText(); // oid
    const name = yield* this.#text();
    const kind = yield* this.#text();
    yield* this.#int(); // section
    for (let index = 0; index < 3; index++) yield* this.#skipText(); // statements: create, drop, copy
    const schema = yield* this.#text();
    yield* this.#skipText(); // tablespace
    if (version >= 14) yield* this.#skipText(); // access method
    if (version >= 16) yield* this.#int(); // kind of relation
    yield* this.#skipText(); // owner
    yield* this.#skipText(); // with oids
    while ((yield* this.#skipText()) !== null); // dependencies, and a null after them
    yield* this.#skip(1 + this.#offsetBytes);
    if (!hasData) return;
    this.#awaited.add(id);
    if (kind === "TABLE DATA" && this.#counts.size < this.#maxTables) this.#counts.set(id, { schema, name, rows: 0 });
  }

  /** Blocks up to the one of length zero. */
  *#data(count: Count | null): Generator<void, void> {
    let lines = 0;
    /** The last four bytes. */
    let tail = 0;
    for (;;) {
      let left = this.#quickInt() ?? (yield* this.#int());
      if (left === 0) break;
      if (left < 0) throw new NotAnArchiveError("a block of negative length");
      while (left > 0) {
        if (this.#at === this.#chunk.length) yield* this.#more();
        const end = Math.min(this.#chunk.length, this.#at + left);
        left -= end - this.#at;
        if (count) {
          lines += this.#linesUntil(end);
          for (let at = Math.max(this.#at, end - 4); at < end; at++)
            tail = ((tail << 8) | (this.#chunk[at] ?? 0)) >>> 0;
        }
        this.#at = end;
      }
    }
    // After the rows, pg_dump writes a line with `\.` alone and two empty ones.
    if (count) count.rows = tail === 0x2e0a0a0a ? lines - 3 : null;
  }

  /** How many lines end between here and `end` in this chunk. Every byte of it is searched once, however short the blocks are. */
  #linesUntil(end: number): number {
    let lines = 0;
    while (this.#newlineAt < end) {
      if (this.#newlineAt >= this.#at) lines++;
      const next = this.#chunk.indexOf(newline, Math.max(this.#newlineAt + 1, this.#at));
      this.#newlineAt = next === -1 ? Infinity : next;
    }
    return lines;
  }

  *#byte(): Generator<void, number> {
    if (this.#at === this.#chunk.length) yield* this.#more();
    return this.#chunk[this.#at++] ?? 0;
  }

  /** What `#int` gives, where all of it is in this chunk: up to pg_dump 15 every row is a block of its own. */
  #quickInt(): number | null {
    const start = this.#at;
    if (this.#chunk.length - start <= this.#intBytes) return null;
    let value = 0;
    for (let place = this.#intBytes; place > 0; place--) value = value * 256 + (this.#chunk[start + place] ?? 0);
    this.#at = start + 1 + this.#intBytes;
    return this.#chunk[start] === 0 ? value : -value;
  }

  /** A sign, and then the lowest byte first. */
  *#int(): Generator<void, number> {
    const quick = this.#quickInt();
    if (quick !== null) return quick;
    const isNegative = (yield* this.#byte()) !== 0;
    let value = 0;
    for (let place = 0; place < this.#intBytes; place++) value += (yield* this.#byte()) * 256 ** place;
    return isNegative ? -value : value;
  }

  *#text(): Generator<void, string> {
    const length = yield* this.#int();
    if (length < 0) return "";
    const bytes: number[] = [];
    for (let index = 0; index < Math.min(length, longestName); index++) bytes.push(yield* this.#byte());
    yield* this.#skip(Math.max(0, length - longestName));
    return Buffer.from(bytes).toString();
  }

  /** Its length; null where there is none, which is not the same as an empty one. */
  *#skipText(): Generator<void, number | null> {
    const length = yield* this.#int();
    if (length < 0) return null;
    yield* this.#skip(length);
    return length;
  }

  *#skip(length: number): Generator<void, void> {
    let left = length;
    while (left > 0) {
      if (this.#at === this.#chunk.length) yield* this.#more();
      const step = Math.min(left, this.#chunk.length - this.#at);
      this.#at += step;
      left -= step;
    }
  }

  *#more(): Generator<void, void> {
    while (this.#at === this.#chunk.length) yield;
  }
}
