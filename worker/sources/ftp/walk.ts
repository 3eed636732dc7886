// Walks a tree on an FTP server: parents before children, no link followed, and a few listings on their way at once.
import { type EntryPath, printablePath, type Warning } from "#artifact/node";
import { entryPath, nameRefusal, printableName, type RawName } from "../entry-name.ts";
import type { Selection } from "../selection.ts";
import { type Directory, listDirectory } from "./directory.ts";
import { directoryTooLarge, FtpRefusal } from "./failure.ts";
import type { Listed } from "./listing.ts";
import type { FtpSessions } from "./sessions.ts";

export interface Found extends Listed {
  readonly kind: "file" | "directory" | "symlink";
  readonly size: number;
  /** In the artifact, and in warnings. */
  readonly path: EntryPath;
  readonly printable: string;
  /** On the server. */
  readonly remotePath: RawName;
}

export interface WalkOptions {
  readonly selection: Selection;
  readonly warn: (warning: Warning) => void;
  /** What lies deeper is left out, with a warning. @default 256 */
  readonly maxDepth?: number;
}

const listingsAhead = 3;
/** Of the directories that are being walked through, one below the other. */
const mostEntriesHeld = 500_000;
/** Files are asked for by lines of text. */
const unspeakable = /[\r\n]/;

interface Level {
  readonly path: RawName;
  readonly remotePath: RawName;
  readonly identity: string | null;
  readonly entries: readonly Listed[];
  next: number;
  scanned: number;
  readonly begun: Map<Listed, Promise<Directory | null>>;
}

/** Everything below the directory `root`, itself left out. Throws `SourceError`, and `FtpRefusal` for a root that the server will not list. */
export async function* walk(
  sessions: FtpSessions,
  root: RawName,
  { selection, warn, maxDepth = 256 }: WalkOptions,
): AsyncGenerator<Found> {
  const levels: Level[] = [];
  let held = 0;
  const list = (remotePath: RawName) => sessions.run((session) => listDirectory(session, remotePath));

  async function enter(place: Pick<Level, "path" | "remotePath" | "identity">, listing: Promise<Directory | null>) {
    const printable = printableName(place.path || place.remotePath);
    const directory = await listing.catch((error: unknown) => {
      if (!(error instanceof FtpRefusal) || place.path === "") throw error;
      warn({ code: "UNREADABLE", path: printable, message: "Its content was left out: the server would not list it." });
      return { entries: [], incomplete: false };
    });
    if (!directory || held + directory.entries.length > mostEntriesHeld) throw directoryTooLarge(printable);
    if (directory.incomplete)
      warn({
        code: "NAME_REFUSED",
        path: printable,
        message: "Something in it may be missing: the server listed it in a form that could not be read.",
      });
    held += directory.entries.length;
    selection.look(directory.entries.length + 1);
    levels.push({ ...place, entries: directory.entries, next: 0, scanned: 0, begun: new Map() });
  }

  function beginAhead(level: Level): void {
    if (levels.length >= maxDepth) return;
    level.scanned = Math.max(level.scanned, level.next);
    for (; level.scanned < level.entries.length && level.begun.size < listingsAhead; level.scanned++) {
      const entry = level.entries[level.scanned];
      if (entry?.kind !== "directory" || nameRefusal(entry.name, unspeakable)) continue;
      const { path, remotePath } = below(level, entry.name);
      if (!selection.mayHold(printablePath(entryPath(path)))) continue;
      const listing = list(remotePath);
      // Looked at when its turn comes, which may be never.
      listing.catch(() => undefined);
      level.begun.set(entry, listing);
    }
  }

  await enter({ path: "", remotePath: root, identity: null }, list(root));
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    beginAhead(level);
    const listed = level.entries[level.next++];
    if (!listed) {
      levels.pop();
      held -= level.entries.length;
      continue;
    }
    const { path, remotePath } = below(level, listed.name);
    const found = admit({ ...listed, path: entryPath(path), remotePath, printable: printableName(path) });
    if (!found) continue;
    if (selection.has(printablePath(found.path), found.kind)) {
      selection.count(found.size);
      yield found;
    }
    if (found.kind !== "directory" || !selection.mayHold(printablePath(found.path))) continue;
    const refusal = descentRefusal(listed);
    if (refusal)
      warn({ code: "NAME_REFUSED", path: found.printable, message: `Its content was left out: ${refusal}.` });
    else {
      const listing = level.begun.get(listed) ?? list(remotePath);
      level.begun.delete(listed);
      await enter({ path, remotePath, identity: listed.identity }, listing);
    }
  }

  /** Null where it cannot be taken; then `warn` was told, unless nobody wants it. */
  function admit({ kind, size, ...rest }: Listed & Omit<Found, keyof Listed>): Found | null {
    const { name, path, printable } = rest;
    if (!selection.has(printablePath(path), kind) && kind !== "directory") return null;
    const tell = (code: Warning["code"], message: string) => warn({ code, path: printable, message });
    const refusal = nameRefusal(name, unspeakable);
    if (refusal) tell(refusal.code, refusal.message);
    else if (kind === "special") tell("SPECIAL_SKIPPED", "Left out: it is a device, a socket or a pipe, not a file.");
    else if (kind === "file" && size === null)
      tell("UNREADABLE", "Left out: the server announced no size for it, or an impossible one.");
    else if (kind === "symlink" && rest.target === null)
      tell("UNREADABLE", "Left out: it is a link, and the server does not tell where it leads.");
    else {
      if (typeof path !== "string" && typeof entryPath(name) !== "string")
        tell("NAME_NOT_UTF8", "Its name is not UTF-8: it is kept byte for byte as the server gave it.");
      return { ...rest, kind, size: kind === "file" ? (size ?? 0) : 0 };
    }
    return null;
  }

  function descentRefusal({ identity }: Listed): string | null {
    if (levels.length >= maxDepth) return "it lies too deep";
    // Some servers list links as what they lead to.
    if (identity !== null && levels.some((level) => level.identity === identity))
      return "it leads back to where it lies";
    return null;
  }
}

function below({ path, remotePath }: Pick<Level, "path" | "remotePath">, name: RawName) {
  return {
    path: path === "" ? name : `${path}/${name}`,
    remotePath: remotePath.endsWith("/") ? `${remotePath}${name}` : `${remotePath}/${name}`,
  };
}
