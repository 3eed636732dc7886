// Unpacks entries into a directory of this machine, with synchronous calls: they cost a tenth of the others.
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { EntryPath } from "../entry.ts";
import type { OpenedEntry } from "../opened-entry.ts";

export interface WriteTreeOptions {
  readonly signal: AbortSignal;
  /** Called after every piece of content and every entry, with the files that are done and the bytes of contents. */
  readonly onProgress?: (progress: { readonly files: number; readonly bytes: number }) => void;
}

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * `directory` is made, or has to be empty: nothing is ever written over, and no entry leads through a link, for the reader of an
 * artifact refuses both. Modes and times are kept, owners too where this process may give files away. Throws the system's error.
 */
export async function writeTree(
  entries: AsyncIterable<OpenedEntry>,
  directory: string,
  { signal, onProgress }: WriteTreeOptions,
): Promise<void> {
  await refuseFilled(directory);
  const tree = new Tree(resolve(directory));
  let files = 0;
  let bytes = 0;
  for await (const entry of entries) {
    signal.throwIfAborted();
    const before = bytes;
    if (entry.kind === "file")
      await tree.file(entry, (length) => {
        bytes += length;
        onProgress?.({ files, bytes });
      });
    else tree.add(entry);
    if (entry.kind === "file") files += 1;
    bytes = before + entry.size;
    onProgress?.({ files, bytes });
  }
  tree.finish();
}

/** Files of somebody else must not be mixed with those of a backup. */
export class NotEmptyError extends Error {
  override readonly name = "NotEmptyError";

  constructor(directory: string) {
    super(`${directory} is not empty.`);
  }
}

/** Makes the directory where there is none. Throws `NotEmptyError`. */
export async function refuseFilled(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw new NotEmptyError(directory);
}

type Facts = Omit<OpenedEntry, "content" | "kind">;

class Tree {
  readonly #root: string;
  readonly #givesAway = process.geteuid?.() === 0;
  /** Their modes could forbid to fill them, and filling them changes their times. */
  readonly #directories: Facts[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  async file(entry: OpenedEntry, onWritten: (bytes: number) => void): Promise<void> {
    const file = this.#inside(entry.path, (place) => openSync(place, createFlags, 0o600));
    try {
      // A loop with waits in it would cost small files more than their writing.
      if (entry.bytes) writeFully(file, entry.bytes);
      else
        for await (const bytes of entry.content) {
          writeFully(file, bytes);
          onWritten(bytes.length);
        }
      if (this.#givesAway) fchownSync(file, entry.uid, entry.gid);
      fchmodSync(file, entry.mode);
      futimesSync(file, timeOf(entry), timeOf(entry));
    } finally {
      closeSync(file);
    }
  }

  add({ kind, content: _, ...entry }: OpenedEntry): void {
    const { path, linkTarget = "" } = entry;
    if (kind === "directory") {
      // It may have been made already, for something in it.
      if (path !== ".") this.#inside(path, (place) => mkdirSync(place, { recursive: true, mode: 0o700 }));
      this.#directories.push(entry);
    } else if (kind === "hardlink") this.#inside(path, (place) => linkSync(placeOf(this.#root, linkTarget), place));
    else
      this.#inside(path, (place) => {
        symlinkSync(typeof linkTarget === "string" ? linkTarget : Buffer.from(linkTarget), place);
        if (this.#givesAway) lchownSync(place, entry.uid, entry.gid);
        lutimesSync(place, timeOf(entry), timeOf(entry));
      });
  }

  /** The innermost directories first, so that no change of theirs touches the time of one that is done. */
  finish(): void {
    for (const directory of this.#directories.reverse()) {
      const { path, mode, uid, gid } = directory;
      const place = placeOf(this.#root, path);
      if (this.#givesAway) lchownSync(place, uid, gid);
      chmodSync(place, mode);
      utimesSync(place, timeOf(directory), timeOf(directory));
    }
  }

  /** A selection may hold a file without the directories above it. */
  #inside<T>(path: EntryPath, make: (place: string | Buffer) => T): T {
    const place = placeOf(this.#root, path);
    try {
      return make(place);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      mkdirSync(placeOf(this.#root, parentOf(path)), { recursive: true });
      return make(place);
    }
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

const earliestDateMs = -8.64e15;

/**
 * What Node makes this very millisecond of. Most are no double when told in seconds: a microsecond more keeps them from becoming the one
 * before. Numbers below 0 it takes for now, and not so dates.
 */
function timeOf({ mtimeMs }: Pick<OpenedEntry, "mtimeMs">): number | Date {
  if (mtimeMs < 0) return new Date(Math.max(mtimeMs, earliestDateMs));
  return (mtimeMs % 1000 === 0 ? mtimeMs : mtimeMs + 0.001) / 1000;
}

function placeOf(root: string, path: EntryPath): string | Buffer {
  return typeof path === "string" ? join(root, path) : Buffer.concat([Buffer.from(`${root}/`), path]);
}

function parentOf(path: EntryPath): EntryPath {
  if (typeof path === "string") return path.slice(0, Math.max(0, path.lastIndexOf("/")));
  return path.subarray(0, Math.max(0, path.lastIndexOf(0x2f)));
}
