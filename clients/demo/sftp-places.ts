// Finds what the paths of an SFTP client name in a directory, and describes it in the protocol's terms.
import type { Dir, Stats } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import ssh2, { type Attributes, type FileEntry } from "ssh2";

const { STATUS_CODE } = ssh2.utils.sftp;

/** A request that is answered with a status of the protocol. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`SFTP status ${status}`);
    this.status = status;
  }
}

const namesAtOnce = 100;

/** The place itself, which may be a link. Throws where the way to it leads out of `root`. */
export async function placeOf(root: string, path: string): Promise<string> {
  const place = posix.resolve("/", path);
  return place === "/" ? root : join(within(root, await realpath(join(root, dirname(place)))), posix.basename(place));
}

/** What the place leads to in the end. Throws where that lies outside of `root`. */
export async function targetOf(root: string, path: string): Promise<string> {
  return within(root, await realpath(join(root, posix.resolve("/", path))));
}

function within(root: string, real: string): string {
  if (real !== root && !real.startsWith(root === "/" ? root : `${root}/`))
    throw new Refusal(STATUS_CODE.PERMISSION_DENIED);
  return real;
}

/** The next names of a directory; none at its end. */
export async function readNames(directory: Dir): Promise<FileEntry[]> {
  const names: string[] = [];
  for (let entry = await directory.read(); entry; entry = names.length < namesAtOnce ? await directory.read() : null)
    names.push(entry.name);
  return Promise.all(names.map((name) => describe(join(directory.path, name), name)));
}

/** Without attributes where there are none to be had: whoever wants them asks again and hears why. */
async function describe(path: string, filename: string): Promise<FileEntry> {
  const stats = await lstat(path).catch(() => null);
  const letter = stats?.isDirectory() ? "d" : stats?.isSymbolicLink() ? "l" : "-";
  return {
    filename,
    longname: `${letter}--------- ${filename}`,
    attrs: stats ? attributesOf(stats) : ({} as Attributes),
  };
}

export function attributesOf({ mode, uid, gid, size, atimeMs, mtimeMs }: Stats): Attributes {
  return { mode, uid, gid, size, atime: Math.floor(atimeMs / 1000), mtime: Math.floor(mtimeMs / 1000) };
}

export function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return STATUS_CODE.NO_SUCH_FILE;
  return code === "EACCES" || code === "EPERM" ? STATUS_CODE.PERMISSION_DENIED : STATUS_CODE.FAILURE;
}
