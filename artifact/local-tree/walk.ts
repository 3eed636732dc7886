// Finds everything below a directory, in the order of their names, with synchronous calls: they cost a tenth of the others.
import { type Dirent, lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { EntryPath, Warning } from "../entry.ts";
import { pathFromBytes, printablePath } from "../entry-path.ts";

/** A name in a tree; the paths are text wherever the name is. */
export interface Found {
  /** Relative to the root. */
  readonly path: EntryPath;
  /** What the file system calls it. */
  readonly place: string | Buffer;
  readonly kind: "file" | "directory" | "symlink";
  /** Of directories and links; a file is looked at when it is open. */
  readonly stats: Stats | null;
  /** Byte for byte; links only. */
  readonly linkTarget?: EntryPath;
}

type Warn = (warning: Warning) => void;

interface Directory {
  readonly path: EntryPath;
  readonly place: string | Buffer;
}

/**
 * Links are told and never followed. What is neither file, directory nor link is left out with a warning, like what has vanished: null
 * in its place, for there may be very many.
 */
export function* walk(root: string, warn: Warn): Generator<Found | null> {
  yield* walkDirectory({ path: "", place: root }, warn);
}

function* walkDirectory(directory: Directory, warn: Warn): Generator<Found | null> {
  for (const { name, kind } of namesIn(directory, warn)) {
    const found = look(below(directory, name), kind, warn);
    yield found;
    if (found?.kind === "directory") yield* walkDirectory(found, warn);
  }
}

interface Name {
  readonly name: string | Buffer;
  readonly kind: Found["kind"] | null;
}

function namesIn({ path, place }: Directory, warn: Warn): Name[] {
  try {
    const texts = readdirSync(place, { withFileTypes: true });
    if (!texts.some(({ name }) => name.includes("\ufffd")))
      return texts.map((each) => ({ name: each.name, kind: kindOf(each) })).sort((a, b) => (a.name < b.name ? -1 : 1));
    // Some name is no UTF-8, or has that very character.
    const names = readdirSync(place, { withFileTypes: true, encoding: "buffer" });
    return names
      .map((each) => ({ name: each.name, kind: kindOf(each) }))
      .sort((a, b) => Buffer.compare(a.name, b.name));
  } catch (error) {
    warnOf(error, path, warn);
    return [];
  }
}

function kindOf(entry: Dirent<string> | Dirent<NonSharedBuffer>): Found["kind"] | null {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "symlink" : null;
}

function below({ path, place }: Directory, name: string | Buffer): Directory {
  if (typeof name === "string" && typeof path === "string" && typeof place === "string")
    return { path: path === "" ? name : `${path}/${name}`, place: join(place, name) };
  const bytes = [path, place].map((each) => Buffer.from(each as string));
  const [pathBytes = Buffer.alloc(0), placeBytes = Buffer.alloc(0)] = bytes;
  const slash = Buffer.from("/");
  const nameBytes = Buffer.from(name as string);
  return {
    path: pathFromBytes(pathBytes.length === 0 ? nameBytes : Buffer.concat([pathBytes, slash, nameBytes])),
    place: Buffer.concat([placeBytes, slash, nameBytes]),
  };
}

function look({ path, place }: Directory, kind: Found["kind"] | null, warn: Warn): Found | null {
  try {
    if (kind === "file") return { path, place, kind, stats: null };
    if (kind === "directory") {
      const stats = lstatSync(place);
      // A link by now: to go into it would be to follow it.
      if (!stats.isDirectory()) return warnOfChange(path, warn);
      return { path, place, kind, stats };
    }
    if (kind === "symlink") {
      const linkTarget = pathFromBytes(readlinkSync(place, "buffer"));
      return { path, place, kind, stats: lstatSync(place), linkTarget };
    }
    const message = "Left out: it is neither a file nor a directory nor a link.";
    warn({ code: "SPECIAL_SKIPPED", path: printablePath(path), message });
  } catch (error) {
    warnOf(error, path, warn);
  }
  return null;
}

/** Leaves out what is no more of the kind that its directory said. */
export function warnOfChange(path: EntryPath, warn: Warn): null {
  const message = "Left out: it became something else while the tree was read.";
  warn({ code: "VANISHED", path: printablePath(path), message });
  return null;
}

/** Says why something is missing. Throws what is no answer of a file system. */
export function warnOf(error: unknown, path: EntryPath, warn: Warn): void {
  if (!(error instanceof Error && "code" in error && "syscall" in error)) throw error;
  const vanished = error.code === "ENOENT" || error.code === "ENOTDIR" || error.code === "ELOOP";
  warn({
    code: vanished ? "VANISHED" : "UNREADABLE",
    path: printablePath(path) || ".",
    message: vanished
      ? "Left out: it vanished while the tree was read."
      : `Left out: it cannot be read (${error.code}).`,
  });
}
