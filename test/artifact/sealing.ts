// Seals small trees for the artifact's tests: entries as literals, a storage in memory, and one fixed key.
import { createCipheriv } from "node:crypto";
import {
  type Entry,
  type EntryPath,
  type OpenedArtifact,
  openArtifact,
  type SealedArtifact,
  type SealOptions,
  seal,
  snapshotDirectory,
} from "#artifact/node";
import { type MemoryStorage, memoryStorage } from "../storage/memory.ts";

/** Made once with age-keygen, for tests alone. */
export const identity = "AGE-SECRET-KEY-1V4V23PAGMT6MNAWHWHFCXKG6XM84308RU4QZT69Z0TVQ260DYKPQDWKMNQ";
export const recipient = "age1yjhgj3ey0qkehzm947799l7mr93a3vsrtlj2j7hsj3xm3w4qf3vsxxclvc";
/** Another key, which opens nothing here. */
export const strangerIdentity = "AGE-SECRET-KEY-1A24RQFPDUSGKQNZ5VFKZ4RVUY5XXCR7QCXJJCXNR03LUPH93FQWQH76FAF";

export const ids = { tenantId: "t1", sourceId: "s1", snapshotId: "n1", jobId: "j1", workerId: "w1" };
export const directory = snapshotDirectory(ids);

const facts = { mode: 0o644, mtimeMs: 1_700_000_000_000, uid: 1000, gid: 1000 };

/** A file with this content; its announced size may be another one. */
export function file(path: EntryPath, content: string | Uint8Array, changes: Partial<Entry> = {}): Entry {
  const bytes = Buffer.from(content);
  return { ...facts, path, kind: "file", size: bytes.length, content: piecesOf([bytes]), ...changes };
}

export function folder(path: EntryPath): Entry {
  return { ...facts, path, kind: "directory", size: 0, mode: 0o755 };
}

export function link(path: EntryPath, linkTarget: EntryPath, kind: "symlink" | "hardlink" = "symlink"): Entry {
  return { ...facts, path, kind, size: 0, linkTarget };
}

export async function* piecesOf<T>(pieces: Iterable<T>): AsyncGenerator<T> {
  yield* pieces;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

let knownNoise = Buffer.alloc(0);

/** Bytes that do not compress; the shorter is the beginning of the longer. Not to be written to. */
export function noise(length: number): Buffer {
  if (knownNoise.length < length)
    knownNoise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(length));
  return knownNoise.subarray(0, length);
}

export interface Sealed {
  readonly storage: MemoryStorage;
  readonly result: SealedArtifact;
  open(changes?: { identities?: string[]; manifestSha256?: string }): Promise<OpenedArtifact>;
}

export async function sealTree(
  entries: Iterable<Entry> | AsyncIterable<Entry>,
  changes: Partial<SealOptions> = {},
): Promise<Sealed> {
  const storage = memoryStorage();
  const result = await seal({ ...sealOptions(entries), storage, ...changes });
  return { storage, result, open: (more) => openArtifact({ storage, directory, identities: [identity], ...more }) };
}

export function sealOptions(entries: Iterable<Entry> | AsyncIterable<Entry>): Omit<SealOptions, "storage"> {
  return {
    entries: Symbol.asyncIterator in entries ? entries : piecesOf(entries),
    recipients: [recipient],
    ids,
    attempt: "1",
    signal: new AbortController().signal,
    createdAt: new Date("2026-11-21T12:00:00Z"),
  };
}

export interface ReadEntry {
  readonly path: EntryPath;
  readonly kind: Entry["kind"];
  readonly mode: number;
  readonly mtimeMs: number;
  readonly uid: number;
  readonly gid: number;
  readonly content?: Buffer;
  readonly linkTarget?: EntryPath;
}

/** Every entry with its content, in order. */
export async function readEntries(artifact: OpenedArtifact): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for await (const { path, kind, mode, mtimeMs, uid, gid, linkTarget, content } of artifact.entries())
    entries.push({
      path,
      kind,
      mode,
      mtimeMs,
      uid,
      gid,
      ...(kind === "file" ? { content: Buffer.concat(await collect(content)) } : {}),
      ...(linkTarget === undefined ? {} : { linkTarget }),
    });
  return entries;
}
