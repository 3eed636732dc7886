// Reads a tar stream strictly: every header must be the one that the format prescribes for its entry, so no two readers see two trees.
import { ArtifactError } from "../errors.ts";
import { ByteQueue } from "./byte-queue.ts";
import { encodeTarHeader, paddedBytes, type TarEntry } from "./header.ts";
import { blockBytes, kindTypes, paxType, ustarField } from "./layout.ts";

export interface TarMember extends TarEntry {
  /** Where its first header block starts in the stream. */
  readonly offset: number;
  readonly contentOffset: number;
  /** To be read before the next member is asked for, which skips what is left of it. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** Longest extended header: room for two names of the greatest length. */
const maxPaxBytes = 131_072;

const typeKinds = new Map(Object.entries(kindTypes).map(([kind, type]) => [type, kind as TarEntry["kind"]]));

/** Throws `ArtifactError`: `ENTRY_REFUSED` for a kind of entry that is never written, `ARTIFACT_CORRUPT` for what is no such tar. */
export async function* readTar(stream: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember> {
  await using queue = new ByteQueue(stream);
  for (;;) {
    const offset = queue.position;
    const block = await queue.take(blockBytes);
    if (isZeros(block)) break;
    const entry = await readEntry(queue, Buffer.from(block), offset);
    const contentOffset = queue.position;
    const end = contentOffset + entry.size;
    yield { ...entry, offset, contentOffset, content: contentOf(queue, end) };
    await queue.skipTo(end);
    if (!isZeros(await queue.take(paddedBytes(entry.size) - entry.size))) throw corrupt("an entry's padding", end);
  }
  if (!isZeros(await queue.take(blockBytes)) || !(await queue.isAtEnd())) throw corrupt("its end", queue.position);
}

async function* contentOf(queue: ByteQueue, end: number): AsyncGenerator<Uint8Array> {
  if (queue.position > end) throw new TypeError("the content of an entry was read after the next entry");
  while (queue.position < end) yield await queue.next(end - queue.position);
}

async function readEntry(queue: ByteQueue, first: Buffer, offset: number): Promise<TarEntry> {
  if (typeOf(first) !== paxType) return parseEntry(first, new Map(), first, offset);
  const length = octal(first, ustarField.size);
  if (!(length <= maxPaxBytes)) throw corrupt("an extended header's length", offset);
  const extended = Buffer.from(await queue.take(paddedBytes(length)));
  const block = Buffer.from(await queue.take(blockBytes));
  const records = parseRecords(extended.subarray(0, length), offset);
  return parseEntry(block, records, Buffer.concat([first, extended, block]), offset);
}

function parseEntry(block: Buffer, pax: Map<string, Buffer>, header: Buffer, offset: number): TarEntry {
  const kind = typeKinds.get(typeOf(block));
  if (kind === undefined)
    throw new ArtifactError("ENTRY_REFUSED", "The backup holds an entry that is neither file, directory nor link.", {
      offset,
    });
  const number = (key: "size" | "uid" | "gid") => {
    const value = pax.get(key);
    return value ? Number(value.toString("latin1")) : octal(block, ustarField[key]);
  };
  const path = pax.get("path") ?? text(block, ustarField.name);
  const entry = {
    kind,
    name: kind === "directory" ? path.subarray(0, -1) : path,
    size: number("size"),
    mode: octal(block, ustarField.mode),
    mtimeMs: pax.has("mtime") ? milliseconds(pax.get("mtime")) : octal(block, ustarField.mtime) * 1000,
    uid: number("uid"),
    gid: number("gid"),
    linkName: kind.endsWith("link") ? (pax.get("linkpath") ?? text(block, ustarField.linkName)) : null,
  };
  const sound = [entry.size, entry.mode, entry.mtimeMs, entry.uid, entry.gid].every(Number.isSafeInteger);
  if (!sound || entry.mode > 0o7777 || (kind !== "file" && entry.size !== 0) || !encodeTarHeader(entry).equals(header))
    throw corrupt("an entry's header", offset);
  return entry;
}

/** What is not as the writer writes it shows when the whole header is compared. */
function parseRecords(bytes: Buffer, offset: number): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(" ", at);
    const equals = bytes.indexOf("=", space);
    const end = at + Number(bytes.toString("latin1", at, space));
    if (space === -1 || equals === -1 || !(end > equals && end <= bytes.length))
      throw corrupt("an extended header", offset);
    records.set(bytes.toString("latin1", space + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

function milliseconds(value: Buffer | undefined): number {
  return Math.round(Number(value?.toString("latin1")) * 1000);
}

function octal(block: Buffer, { at, length }: { at: number; length: number }): number {
  return Number.parseInt(block.toString("latin1", at, at + length), 8);
}

function text(block: Buffer, { at, length }: { at: number; length: number }): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end));
}

function typeOf(block: Buffer): string {
  return block.toString("latin1", ustarField.type.at, ustarField.type.at + 1);
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function corrupt(what: string, offset: number): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `The archive in the backup is damaged at ${what}.`, { offset });
}
