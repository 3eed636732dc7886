// Compares two trees on disk: names, kinds, contents byte for byte, where links point, and modes.
import { isUtf8 } from "node:buffer";
import type { Stats } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";

export interface Comparison {
  files: number;
  directories: number;
  links: number;
  /** Of content that was the same. */
  bytes: number;
  /** Entries that no backup over SFTP can hold: pipes, sockets, devices, and names that are not UTF-8. */
  leftOut: number;
  /** One sentence each; the first hundred. */
  readonly differences: string[];
}

const differencesKept = 100;
const chunkBytes = 1024 * 1024;

/** `wanted` is how it was, `found` how it came back. What the two are called, and their own modes, may differ. */
export async function compareTrees(wanted: string, found: string, signal: AbortSignal): Promise<Comparison> {
  const comparison: Comparison = { files: 0, directories: 0, links: 0, bytes: 0, leftOut: 0, differences: [] };
  // Names with one character for each byte: whatever the bytes are, two names are the same or they are not.
  const pending = [""];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const names = new Set([...(await namesIn(wanted, directory)), ...(await namesIn(found, directory))]);
    for (const name of names) {
      signal.throwIfAborted();
      const path = directory === "" ? name : `${directory}/${name}`;
      const [was, is] = [await statsOf(wanted, path), await statsOf(found, path)];
      if (was && (kindOf(was) === "special" || !isUtf8(bytesOf(name)))) {
        comparison.leftOut++;
        continue;
      }
      const difference = await compare({ wanted, found, path, was, is, comparison });
      if (difference === null && was?.isDirectory()) pending.push(path);
      if (difference !== null && comparison.differences.length < differencesKept)
        comparison.differences.push(`${bytesOf(path)} ${difference}`);
    }
  }
  return comparison;
}

interface Pair {
  readonly wanted: string;
  readonly found: string;
  readonly path: string;
  readonly was: Stats | null;
  readonly is: Stats | null;
  readonly comparison: Comparison;
}

/** The end of a sentence that begins with the path; null where all is the same. */
async function compare({ wanted, found, path, was, is, comparison }: Pair): Promise<string | null> {
  if (!was) return "came back, and had not been there";
  if (!is) return "did not come back";
  const [kind, kindNow] = [kindOf(was), kindOf(is)];
  if (kind !== kindNow) return `was a ${kind} and came back as a ${kindNow}`;
  const [before, after] = [placeOf(wanted, path), placeOf(found, path)];
  if (kind === "link") {
    comparison.links++;
    const [target, targetNow] = [await readlink(before, "buffer"), await readlink(after, "buffer")];
    return target.equals(targetNow) ? null : `pointed to ${target} and points to ${targetNow}`;
  }
  if ((was.mode & 0o7777) !== (is.mode & 0o7777)) return `had mode ${modeText(was)} and has ${modeText(is)}`;
  if (kind === "directory") {
    comparison.directories++;
    return null;
  }
  comparison.files++;
  comparison.bytes += was.size;
  if (was.size !== is.size) return `had ${was.size} bytes and has ${is.size}`;
  return (await haveSameContent(before, after)) ? null : "has another content";
}

async function haveSameContent(before: Buffer, after: Buffer): Promise<boolean> {
  await using one = await open(before);
  await using other = await open(after);
  const [a, b] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
  for (;;) {
    const [left, right] = [await fill(one, a), await fill(other, b)];
    if (!left.equals(right)) return false;
    if (left.length === 0) return true;
  }
}

/** A whole buffer, unless the file ends: one read may bring less. */
async function fill(file: { read: Awaited<ReturnType<typeof open>>["read"] }, buffer: Buffer): Promise<Buffer> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function kindOf(stats: Stats): "file" | "directory" | "link" | "special" {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "link" : "special";
}

function modeText({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

function namesIn(root: string, directory: string): Promise<string[]> {
  return readdir(placeOf(root, directory), "latin1");
}

function statsOf(root: string, path: string): Promise<Stats | null> {
  return lstat(placeOf(root, path)).catch(() => null);
}

function placeOf(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]);
}

function bytesOf(name: string): Buffer {
  return Buffer.from(name, "latin1");
}
