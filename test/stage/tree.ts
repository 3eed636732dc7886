// Trees of files as literals: written to disk, read back, and compared.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, lchown, lstat, mkdir, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

type Node =
  | { readonly kind: "file"; readonly content: Uint8Array; readonly mode?: number }
  | { readonly kind: "directory" }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "fifo" };

/** What may stand in a literal: text, bytes, or what the functions below make. */
export type Leaf = string | Uint8Array | Node;

/** By path, in the order of writing; parents need not be named. */
export type Tree = ReadonlyMap<string, Node>;

export const directory: Node = { kind: "directory" };
export const fifo: Node = { kind: "fifo" };

export function link(target: string): Node {
  return { kind: "link", target };
}

export function file(content: string | Uint8Array, mode?: number): Node {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return { kind: "file", content: bytes, ...(mode !== undefined && { mode }) };
}

/** `tree({ "a/b.txt": "hello", "l": link("a"), "empty/": directory })` */
export function tree(literal: Readonly<Record<string, Leaf>>): Tree {
  return new Map(
    Object.entries(literal).map(([path, leaf]) => [
      path.replace(/\/$/, ""),
      typeof leaf === "string" || leaf instanceof Uint8Array ? file(leaf) : leaf,
    ]),
  );
}

/** `count` files of `bytes` each, a hundred to a directory. */
export function smallFiles(count: number, { bytes = 200, seed = "small" } = {}): Tree {
  const all = seededBytes(count * bytes, seed);
  const at = (index: number) => all.subarray(index * bytes, (index + 1) * bytes);
  return new Map(
    Array.from({ length: count }, (_, index) => [`d${Math.floor(index / 100)}/f${index}`, file(at(index))] as const),
  );
}

/** Bytes that no compressor makes smaller, the same for the same seed. */
export function seededBytes(length: number, seed: string): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export interface WriteOptions {
  /** Whom everything is given to. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export async function writeTree(base: string, nodes: Tree, { owner }: WriteOptions = {}): Promise<void> {
  const made = new Set<string>();
  for (const [path, node] of nodes) {
    for (const parent of parentsOf(path)) made.add(parent);
    const place = join(base, path);
    await mkdir(node.kind === "directory" ? place : dirname(place), { recursive: true });
    if (node.kind === "file") await writeFile(place, node.content);
    if (node.kind === "link") await symlink(node.target, place);
    if (node.kind === "fifo") execFileSync("mkfifo", [place]);
    made.add(path);
  }
  if (owner) for (const path of made) await lchown(join(base, path), owner.uid, owner.gid);
  // Last, because a new owner takes away the set-uid bit.
  for (const [path, node] of nodes)
    if (node.kind === "file" && node.mode !== undefined) await chmod(join(base, path), node.mode);
}

/** Fails unless exactly this tree lies under `base`: same names, kinds, contents and link targets, and modes where they are given. */
export async function assertTree(base: string, nodes: Tree): Promise<void> {
  assert.deepEqual(await describeDisk(base, nodes), describeTree(nodes));
}

/** Path to what is there, in words that a failing assertion can show: kind, length and hash, or target. */
export function describeTree(nodes: Tree): Record<string, string> {
  const described: Record<string, string> = {};
  for (const [path, node] of nodes) {
    for (const parent of parentsOf(path)) described[parent] ??= "directory";
    if (node.kind === "file") described[path] = describeFile(node.content.length, sha256(node.content), node.mode);
    else described[path] = node.kind === "link" ? `link to ${node.target}` : node.kind;
  }
  return sorted(described);
}

export function describeFile(length: number, digest: string, mode?: number): string {
  const about = `file of ${length} bytes, sha256 ${digest.slice(0, 16)}`;
  return mode === undefined ? about : `${about}, mode ${mode.toString(8)}`;
}

export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

export function sorted(described: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(described).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function describeDisk(base: string, expected: Tree): Promise<Record<string, string>> {
  const described: Record<string, string> = {};
  for await (const name of namesUnder(base)) {
    const place = join(base, name);
    const stats = await lstat(place);
    const wanted = expected.get(name);
    const mode = wanted?.kind === "file" && wanted.mode !== undefined ? stats.mode & 0o7777 : undefined;
    if (stats.isFile()) described[name] = describeFile(stats.size, await sha256OfFile(place), mode);
    else if (stats.isSymbolicLink()) described[name] = `link to ${await readlink(place)}`;
    else described[name] = stats.isDirectory() ? "directory" : stats.isFIFO() ? "fifo" : "something else";
  }
  return sorted(described);
}

/** Node's own recursive listing follows links into directories. */
async function* namesUnder(base: string, prefix = ""): AsyncGenerator<string> {
  for (const entry of await readdir(join(base, prefix), { withFileTypes: true })) {
    yield `${prefix}${entry.name}`;
    if (entry.isDirectory()) yield* namesUnder(base, `${prefix}${entry.name}/`);
  }
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
