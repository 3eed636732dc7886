// Decides which of the names a server sends become entries of an artifact, and says of the others why they do not.
import { constants } from "node:fs";
import type { Attributes, FileEntryWithStats } from "ssh2";
import type { Warning } from "#artifact/node";
import { printable } from "../printable-path.ts";
import { type SftpSession, SftpStatusError, sftpStatus } from "./session.ts";

/** A place in a remote tree: as it is called in the artifact, and on the server. */
export interface Place {
  /** Relative to where the walk began; empty for the beginning itself. */
  readonly path: string;
  readonly remotePath: string;
}

export interface Found extends Place {
  readonly kind: "file" | "directory" | "symlink";
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly uid: number;
  readonly gid: number;
}

type Warn = (warning: Warning) => void;

/** Three times what most file systems allow. */
const longestNameBytes = 765;
const kinds: ReadonlyMap<number, Found["kind"]> = new Map([
  [constants.S_IFREG, "file"],
  [constants.S_IFDIR, "directory"],
  [constants.S_IFLNK, "symlink"],
]);

/** Null where the name is unfit, the thing no file, or gone by now; then `warn` was told. */
export async function admit(
  session: SftpSession,
  parent: Place,
  { filename, attrs }: FileEntryWithStats,
  warn: Warn,
): Promise<Found | null> {
  const place = placeOf(parent, filename);
  const refusal = nameRefusal(filename);
  if (refusal) {
    warn({ ...refusal, path: printable(place.path) });
    return null;
  }
  // Servers may leave attributes out of their listings.
  const known = isComplete(attrs) ? attrs : await look(session, place, warn);
  return known && describe(place, known, warn);
}

export function placeOf({ path, remotePath }: Place, name: string): Place {
  return {
    path: path === "" ? name : `${path}/${name}`,
    remotePath: remotePath.endsWith("/") ? `${remotePath}${name}` : `${remotePath}/${name}`,
  };
}

/** Whether a listing may begin before the directory's turn has come: only where nothing can keep it from being admitted. */
export function isPlainDirectory({ filename, attrs }: FileEntryWithStats): boolean {
  return isComplete(attrs) && kindOf(attrs) === "directory" && nameRefusal(filename) === null;
}

/** What an entry is, by its attributes. */
export function describe(place: Place, attributes: Partial<Attributes>, warn: Warn): Found | null {
  const { mode = 0, size = 0, mtime = 0, uid = 0, gid = 0 } = attributes;
  const path = printable(place.path);
  const kind = kindOf(attributes);
  if (!kind) {
    warn({ code: "SPECIAL_SKIPPED", path, message: "Left out: it is a device, a socket or a pipe, not a file." });
    return null;
  }
  if (!Number.isSafeInteger(size)) {
    warn({ code: "UNREADABLE", path, message: "Left out: the server announced an impossible size for it." });
    return null;
  }
  return { ...place, kind, size: kind === "file" ? size : 0, mode: mode & 0o7777, mtimeMs: mtime * 1000, uid, gid };
}

/** What `warn` is told of an entry that the server does not let us have. Anything but a refusal of the server is thrown on. */
export function warnOfRefusal(error: unknown, path: string, warn: Warn): void {
  if (!(error instanceof SftpStatusError)) throw error;
  if (error.status === sftpStatus.noSuchFile)
    warn({ code: "VANISHED", path: printable(path), message: "It was gone by the time it was to be read." });
  else if (error.status === sftpStatus.permissionDenied)
    warn({ code: "UNREADABLE", path: printable(path), message: "The user of this source has no right to read it." });
  else warn({ code: "UNREADABLE", path: printable(path), message: "The server could not read it." });
}

async function look(session: SftpSession, { path, remotePath }: Place, warn: Warn): Promise<Attributes | null> {
  try {
    return await session.lstat(remotePath);
  } catch (error) {
    warnOfRefusal(error, path, warn);
    return null;
  }
}

function nameRefusal(name: string): Pick<Warning, "code" | "message"> | null {
  // ssh2 decodes names as UTF-8 and puts U+FFFD where that fails: what is left cannot be opened by that name any more.
  if (name.includes("\ufffd"))
    return { code: "NAME_NOT_UTF8", message: "Left out: its name is not UTF-8, and SFTP gives no way to open it." };
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    return { code: "NAME_REFUSED", message: "Left out: no file can be called that; the server is not to be trusted." };
  if (Buffer.byteLength(name) > longestNameBytes)
    return { code: "NAME_REFUSED", message: `Left out: its name is longer than ${longestNameBytes} bytes.` };
  return null;
}

function isComplete({ mode, size }: Partial<Attributes>): boolean {
  return mode !== undefined && size !== undefined;
}

function kindOf({ mode = 0 }: Partial<Attributes>): Found["kind"] | undefined {
  return kinds.get(mode & constants.S_IFMT);
}
