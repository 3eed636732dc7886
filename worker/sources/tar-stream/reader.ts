// Turns the tar that a foreign program writes into entries, as it comes; tolerant of its dialect, trusting none of its numbers and names.
import { Buffer } from "node:buffer";
import type { Entry, Warning } from "#artifact/node";
import { printable } from "../printable-path.ts";
import { ChunkQueue, mostGathered } from "./chunk-queue.ts";
import { bareName, entryPath, isFitName, isFitTarget } from "./entry-name.ts";
import { blockBytes, type Header, readHeader } from "./header.ts";
import { type PaxRecords, readPaxRecords } from "./pax-records.ts";

/** The stream ended before its tar did, or it never was one. */
export class TarStreamError extends Error {
  override readonly name = "TarStreamError";
  readonly fault: "cut" | "garbled";

  constructor(fault: TarStreamError["fault"], what: string) {
    super(`the tar is ${fault}: ${what}`);
    this.fault = fault;
  }
}

/** An entry before its content, as it stands in the tar. */
export interface Announced {
  readonly kind: Entry["kind"];
  /** As in warnings. */
  readonly name: string;
  readonly size: number;
  /** Of a hard link, as in warnings. */
  readonly target: string | null;
}

export interface TarOptions {
  /** Whether an entry is wanted; may throw to end it all. */
  readonly admit: (entry: Announced) => boolean;
  readonly warn: (warning: Warning) => void;
  /** What to throw to the reader of a content that ends too early. */
  readonly explain: (error: TarStreamError) => Promise<unknown>;
}

/** Of the names and records before one entry. */
const mostExtraBytes = 256 * 1024;
/** After its end a tar has zeros up to the length of a record. */
const mostTrailingBytes = 16 * 1024 * 1024;
const sparseExtensionAt = { inHeader: 482, inBlock: 504 } as const;

const typeOf = (character: string) => character.charCodeAt(0);
const types = {
  longName: typeOf("L"),
  longLink: typeOf("K"),
  pax: typeOf("x"),
  globalPax: typeOf("g"),
  sparse: typeOf("S"),
} as const;
const kinds: ReadonlyMap<number, Entry["kind"]> = new Map([
  [0, "file"],
  [typeOf("0"), "file"],
  [typeOf("7"), "file"],
  [typeOf("1"), "hardlink"],
  [typeOf("2"), "symlink"],
  [typeOf("5"), "directory"],
]);
const specials: ReadonlySet<number> = new Set(["3", "4", "6"].map(typeOf));

interface Extra {
  name?: Buffer;
  linkName?: Buffer;
  pax?: PaxRecords;
}

/**
 * The entries of one tar but for its root directory, and then the rest of the stream. Contents, and `bytes`, are their reader's until
 * the next piece or entry is asked for. Throws `TarStreamError`.
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>, options: TarOptions): AsyncGenerator<Entry> {
  const queue = new ChunkQueue(chunks[Symbol.asyncIterator]());
  let extra: Extra = {};
  for (;;) {
    const block = queue.takeNow(blockBytes) ?? (await queue.take(blockBytes));
    if (!block) throw new TarStreamError("cut", "it has no end");
    const header = readHeader(block);
    if (header === "garbled") throw new TarStreamError("garbled", "a header's checksum is wrong");
    if (header === null) break;
    const { type } = header;
    if (type === types.longName || type === types.longLink || type === types.pax) {
      extra = { ...extra, ...(await readExtra(queue, header)) };
      continue;
    }
    const isSparse = type === types.sparse;
    if (isSparse && block[sparseExtensionAt.inHeader] === 1) await skipSparseMap(queue);
    const found = type === types.globalPax ? null : entryOf(header, extra, options);
    const left = lengthOf(header, extra);
    extra = {};
    if (!found) {
      await skip(queue, left + paddingOf(left));
      continue;
    }
    if (found.kind !== "file") {
      yield found;
      continue;
    }
    const whole = queue.takeNow(left) ?? (left <= mostGathered ? await queue.take(left) : null);
    if (whole) {
      yield { ...found, bytes: whole };
      await skip(queue, paddingOf(left));
      continue;
    }
    if (left <= mostGathered) throw new TarStreamError("cut", "it ends within a file");
    const content = new Content(queue, left, options.explain);
    yield { ...found, content };
    await skip(queue, content.left + paddingOf(left));
  }
  await readEnd(queue);
}

/** The content of a file that is not at hand as a whole. What its reader leaves is skipped afterwards. */
class Content implements AsyncIterableIterator<Uint8Array> {
  left: number;
  readonly #queue: ChunkQueue;
  readonly #explain: TarOptions["explain"];

  constructor(queue: ChunkQueue, size: number, explain: TarOptions["explain"]) {
    this.#explain = explain;
    this.#queue = queue;
    this.left = size;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.left === 0) return { done: true, value: undefined };
    const value = await this.#queue.next(this.left);
    if (!value) throw await this.#explain(new TarStreamError("cut", "it ends within a file"));
    this.left -= value.length;
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Null where it is none that can be kept; then `warn` was told, unless nobody wanted it anyway. */
function entryOf(header: Header, { name, linkName, pax }: Extra, { admit, warn }: TarOptions): Entry | null {
  const fullName = pax?.path ?? name ?? header.name;
  const bare = bareName(fullName);
  if (bare.length === 0 && fullName.length > 0) return null;
  const path = entryPath(bare);
  const shown = printable(path);
  const leaveOut = (code: Warning["code"], message: string) => {
    warn({ code, path: shown.slice(0, mostShown), message: `Left out: ${message}` });
    return null;
  };
  if (!isFitName(bare)) return leaveOut("NAME_REFUSED", "no file can be called that; the server is not to be trusted.");
  const kind = kindOf(header, fullName);
  const rawTarget = pax?.linkpath ?? linkName ?? header.linkName;
  const target = kind === "hardlink" ? bareName(rawTarget) : rawTarget;
  const linkTarget = kind === "hardlink" || kind === "symlink" ? entryPath(target) : null;
  const size = kind === "file" ? lengthOf(header, { ...(pax && { pax }) }) : 0;
  const announced = {
    kind: kind ?? "file",
    name: shown,
    size,
    target: linkTarget === null ? null : printable(linkTarget),
  };
  if (!admit(announced)) return null;
  if (!kind && specials.has(header.type)) return leaveOut("SPECIAL_SKIPPED", "it is a device or a pipe, not a file.");
  if (!kind || pax?.isSparse) return leaveOut("UNREADABLE", "the server sent it in a form that is not known here.");
  if (linkTarget !== null && !(kind === "symlink" ? isFitTarget(target) : isFitName(target)))
    return leaveOut("NAME_REFUSED", "it links to a name that no file can have; the server is not to be trusted.");
  return {
    path,
    kind,
    size,
    mode: header.mode & 0o7777,
    mtimeMs: finite(pax?.mtime ?? header.mtime) * 1000,
    uid: finite(pax?.uid ?? header.uid),
    gid: finite(pax?.gid ?? header.gid),
    ...(linkTarget !== null && { linkTarget }),
  };
}

/** Of a name in a warning. */
const mostShown = 4096;

/** Before directories had a type of their own, a slash told them. */
function kindOf({ type }: Header, fullName: Buffer): Entry["kind"] | undefined {
  const kind = kinds.get(type);
  return kind === "file" && fullName.at(-1) === 0x2f ? "directory" : kind;
}

/** Bytes behind the header, padding left out. Links, directories and devices have none, whatever is said of their size. */
function lengthOf({ type, size: stated }: Header, { pax }: Extra): number {
  const kind = kinds.get(type);
  if (specials.has(type) || (kind !== undefined && kind !== "file")) return 0;
  const size = pax?.size ?? stated;
  if (!Number.isSafeInteger(size) || size < 0) throw new TarStreamError("garbled", "an entry has an impossible size");
  return size;
}

async function readExtra(queue: ChunkQueue, header: Header): Promise<Extra> {
  const { type, size } = header;
  if (!(size >= 0 && size <= mostExtraBytes)) throw new TarStreamError("garbled", "a name is too long");
  const taken = await queue.take(size + paddingOf(size));
  if (!taken) throw new TarStreamError("cut", "it ends within a name");
  const bytes = Buffer.from(taken.subarray(0, size));
  if (type === types.pax) {
    const pax = readPaxRecords(bytes);
    if (!pax) throw new TarStreamError("garbled", "an extended header is damaged");
    return { pax };
  }
  const end = bytes.indexOf(0);
  const name = end === -1 ? bytes : bytes.subarray(0, end);
  return type === types.longName ? { name } : { linkName: name };
}

/** The map of an old GNU sparse file goes on in blocks of its own. */
async function skipSparseMap(queue: ChunkQueue): Promise<void> {
  for (let more = true; more; ) {
    const block = await queue.take(blockBytes);
    if (!block) throw new TarStreamError("cut", "it ends within a map");
    more = block[sparseExtensionAt.inBlock] === 1;
  }
}

async function skip(queue: ChunkQueue, length: number): Promise<void> {
  if (length === 0 || queue.takeNow(length)) return;
  if (!(await queue.skip(length))) throw new TarStreamError("cut", "it ends within a file");
}

/** Behind the first empty block there must be a second, and there may be more. */
async function readEnd(queue: ChunkQueue): Promise<void> {
  const second = await queue.take(blockBytes);
  if (!second || readHeader(second) !== null) throw new TarStreamError("cut", "it has no end");
  for (let trailing = 0; trailing < mostTrailingBytes; ) {
    const more = await queue.next(mostTrailingBytes);
    if (!more) return;
    trailing += more.length;
  }
  throw new TarStreamError("garbled", "it goes on after its end");
}

function paddingOf(size: number): number {
  return -size & (blockBytes - 1);
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
