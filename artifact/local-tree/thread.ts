// The thread behind read-tree.ts: fills every empty buffer that it is handed with the next stretch of the tree.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { EntryPath, Warning } from "../entry.ts";
import type { Batch, FoundEntry, Item, Piece, TreeThreadData } from "./batch.ts";
import { type Found, walk, warnOf, warnOfChange } from "./walk.ts";

/** What is not a file after all must neither be followed nor waited for. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

class Filling {
  readonly items: Item[] = [];
  readonly bytes: Uint8Array<ArrayBuffer>;
  used = 0;

  constructor(buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
  }
}

/** The first names of files that have several, by their inode. */
const firstNames = new Map<string, EntryPath>();
let filling = new Filling(new ArrayBuffer(0));

function warn(warning: Warning): void {
  filling.items.push({ kind: "warning", warning });
}

/** Fills what is `filling`, and yields where it is full. */
function* readAll(root: string): Generator<void> {
  for (const found of walk(root, warn)) {
    if (found?.kind === "file") yield* readFile(found);
    else if (found) {
      const entry = describe(found, found.stats as Stats, found.kind);
      filling.items.push({ kind: "entry", entry, piece: { at: 0, length: 0, last: true } });
    }
    // Entries without content and warnings fill nothing, and are many all the same.
    if (filling.items.length >= 4096) yield;
  }
}

function* readFile(found: Found): Generator<void> {
  const { path, place } = found;
  let file: number;
  let stats: Stats;
  try {
    file = openSync(place, openFlags);
  } catch (error) {
    return warnOf(error, path, warn);
  }
  try {
    stats = fstatSync(file);
    if (!stats.isFile()) {
      warnOfChange(path, warn);
      return;
    }
    const link = linkedBefore(path, stats);
    if (link !== null) {
      const entry = { ...describe(found, stats, "hardlink"), size: 0, linkTarget: link };
      filling.items.push({ kind: "entry", entry, piece: { at: 0, length: 0, last: true } });
      return;
    }
    const entry = describe(found, stats, "file");
    let started = false;
    // One byte more than there should be tells a file that grew, at no further call.
    for (let left = entry.size + 1; ; ) {
      if (filling.used === filling.bytes.length) yield;
      const piece = readPiece(file, left);
      filling.items.push(started ? { kind: "more", piece } : { kind: "entry", entry, piece });
      started = true;
      if (piece.last) return;
      left -= piece.length;
    }
  } finally {
    closeSync(file);
  }
}

/**
 * Reads on into the buffer, where `left` is one byte more than the file should still have. Some file systems give less than there is:
 * only nothing at all is the end of a file that is not all there yet.
 */
function readPiece(file: number, left: number): Piece {
  const at = filling.used;
  const wanted = Math.min(left, filling.bytes.length - at);
  try {
    const length = readSync(file, filling.bytes, at, wanted, null);
    filling.used += length;
    const isComplete = length < wanted && left - length <= 1;
    return { at, length, last: length === 0 || length === left || isComplete };
  } catch {
    return { at, length: 0, last: true, interrupted: true };
  }
}

function describe({ path, linkTarget }: Found, stats: Stats, kind: FoundEntry["kind"]): FoundEntry {
  const { size, mode, mtimeMs, uid, gid } = stats;
  const link = linkTarget === undefined ? {} : { linkTarget };
  return { path, kind, size: kind === "file" ? size : 0, mode: mode & 0o7777, mtimeMs, uid, gid, ...link };
}

function linkedBefore(path: EntryPath, { nlink, dev, ino }: Stats): EntryPath | null {
  if (nlink < 2) return null;
  const inode = `${dev}:${ino}`;
  const first = firstNames.get(inode);
  if (first === undefined) firstNames.set(inode, path);
  return first ?? null;
}

const { root, isFile, name } = workerData as TreeThreadData;
const reading = isFile ? readFile({ path: name, place: root, kind: "file", stats: null }) : readAll(root);
parentPort?.on("message", (buffer: ArrayBuffer) => {
  filling = new Filling(buffer);
  const last = reading.next().done === true;
  const { bytes, items } = filling;
  parentPort?.postMessage({ bytes, items, last } satisfies Batch, [bytes.buffer]);
  if (last) parentPort?.close();
});
