// Cuts members out of an artifact's tar, byte for byte as they stand in it: no name, time or owner is written anew.
import { isUtf8 } from "node:buffer";
import { ArtifactError, type Entry, type EntryPath, printablePath } from "#artifact/node";
import { ByteReader } from "./byte-reader.ts";
import type { Selection } from "./selection.ts";

const blockBytes = 512;
const paxType = "x";
const kinds: Readonly<Record<string, Entry["kind"]>> = { 0: "file", 1: "hardlink", 2: "symlink", 5: "directory" };

/**
 * `tar` is what an opened artifact gives: ustar, with a PAX header in front of whatever does not fit. Throws `ArtifactError`
 * `ENTRY_REFUSED` for a kind that is never restored, and for a name that would lead out of the directory it is unpacked in.
 */
export async function* pickMembers(tar: AsyncIterable<Uint8Array>, selection: Selection): AsyncGenerator<Uint8Array> {
  await using input = new ByteReader(tar);
  for (;;) {
    const header = await readHeader(input);
    if (header === null) break;
    const { kind, size, path, linkTarget, bytes } = header;
    const taken = selection.takes({ path, kind, linkTarget });
    if (taken) yield bytes;
    for await (const chunk of input.stream(padded(size))) if (taken) yield chunk;
  }
  // The two empty blocks that end a tar: one has been read.
  yield Buffer.alloc(blockBytes);
  yield* input.remainder();
}

interface Header {
  /** All blocks up to the content. */
  readonly bytes: Buffer;
  readonly kind: Entry["kind"];
  readonly path: EntryPath;
  readonly linkTarget: EntryPath;
  readonly size: number;
}

/** Null: the end of the archive. */
async function readHeader(input: ByteReader): Promise<Header | null> {
  let block = await input.read(blockBytes);
  if (block[0] === 0) return null;
  const bytes = [block];
  let records = new Map<string, Buffer>();
  if (typeOf(block) === paxType) {
    const extended = await input.read(padded(sizeOf(block)));
    records = readRecords(extended.subarray(0, sizeOf(block)));
    block = await input.read(blockBytes);
    bytes.push(extended, block);
  }
  const size = records.get("size");
  const kind = kinds[typeOf(block)];
  const path = nameFrom(records.get("path") ?? textField(block, 0, 100));
  if (kind === undefined || leadsOut(path))
    throw new ArtifactError("ENTRY_REFUSED", "The backup holds an entry that is not restored.", {
      path: printablePath(path),
    });
  return {
    bytes: Buffer.concat(bytes),
    kind,
    path,
    linkTarget: nameFrom(records.get("linkpath") ?? textField(block, 157, 100)),
    size: size ? Number(size.toString("latin1")) : sizeOf(block),
  };
}

function typeOf(block: Buffer): string {
  return block.toString("latin1", 156, 157);
}

function sizeOf(block: Buffer): number {
  return Number.parseInt(block.toString("latin1", 124, 135), 8);
}

function textField(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

/** `<length> <key>=<value>\n`, where the length counts the whole record. */
function readRecords(extended: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < extended.length; ) {
    const space = extended.indexOf(" ", at);
    const equals = extended.indexOf("=", space);
    const end = at + Number(extended.toString("latin1", at, space));
    if (!(space > at && equals > space && end > equals && end <= extended.length)) break;
    records.set(extended.toString("latin1", space + 1, equals), extended.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** As entries have them: without the slash that ends the name of a directory. */
function nameFrom(field: Buffer): EntryPath {
  const name = field.at(-1) === 0x2f ? field.subarray(0, -1) : field;
  return isUtf8(name) ? name.toString() : name;
}

function leadsOut(path: EntryPath): boolean {
  const text = typeof path === "string" ? path : Buffer.from(path).toString("latin1");
  return text.startsWith("/") || text.split("/").includes("..");
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}
