// Directories of this machine for the tests that read, seal and unpack them.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { type Entry, extractTree, readTree, type Warning, writeTree } from "#artifact/node";
import { collect, type Sealed, sealTree } from "./sealing.ts";

const run = promisify(execFile);

export const isRoot = process.getuid?.() === 0;

export async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "xvault-tree-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  await mkdir(join(path, "in"));
  return path;
}

export async function sealPath(path: string): Promise<{ sealed: Sealed; warnings: Warning[] }> {
  const warnings: Warning[] = [];
  const { signal } = new AbortController();
  const entries = readTree(path, { warn: (warning) => warnings.push(warning), signal });
  return { sealed: await sealTree(entries, { warnings, signal }), warnings };
}

/** The two ways in which a whole artifact is unpacked; the second is that of a selection too. */
export const ways = {
  "in a thread of its own": async (sealed: Sealed, out: string) => {
    await using artifact = await sealed.open();
    await extractTree(artifact, out, { signal: new AbortController().signal });
  },
  "entry by entry": async (sealed: Sealed, out: string) => {
    await using artifact = await sealed.open();
    await writeTree(artifact.entries(), out, { signal: new AbortController().signal });
  },
} satisfies Record<string, (sealed: Sealed, out: string) => Promise<void>>;

/** Seals `base/in`, unpacks it in every way and hands each result to `check`. */
export async function roundTrip(base: string, check: (out: string) => Promise<void>): Promise<Warning[]> {
  const { sealed, warnings } = await sealPath(join(base, "in"));
  for (const [index, unpack] of Object.values(ways).entries()) {
    const out = join(base, `out${index}`);
    await unpack(sealed, out);
    await check(out);
  }
  return warnings;
}

/** What `lstat` knows of everything below a directory, with times to the millisecond, and what no unpacking keeps left out. */
export async function factsUnder(base: string): Promise<string> {
  const { stdout } = await run("find", [base, "-mindepth", "1", "-printf", "%y %m %U %G %T@ %l/%n/%P\\0"], {
    encoding: "buffer",
  });
  const lines = stdout.toString("latin1").split("\0");
  return lines
    .map((line) => line.replace(/(\.\d{3})\d+/, "$1"))
    .sort()
    .join("\n");
}

interface Holding {
  /** Whether every content is read to its end before its entry is handed on. @default true */
  readonly whole?: boolean;
}

export async function* heldEntries(
  path: string,
  warnings: Warning[] = [],
  { whole = true }: Holding = {},
): AsyncGenerator<Entry> {
  const options = { warn: (warning: Warning) => warnings.push(warning), signal: new AbortController().signal };
  for await (const entry of readTree(path, options)) {
    if (whole && entry.content) for await (const _ of entry.content);
    yield entry;
  }
}

export async function* contentsOf(entries: AsyncIterable<{ readonly content: AsyncIterable<Uint8Array> }>) {
  for await (const { content } of entries) yield Buffer.concat(await collect(content));
}
