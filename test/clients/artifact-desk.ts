// A directory in which the commands of `xvault artifact` are tried: a tree, keys, and an artifact of the tree.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { identityToRecipient } from "age-encryption";
import { localDirectory, readTree, seal } from "#artifact/node";
import { identity, recipient, sealOptions, strangerIdentity } from "../artifact/sealing.ts";
import { directory, link, seededBytes, type Tree, tree, writeTree } from "../stage/tree.ts";
import { type Home, makeHome } from "./xvault.ts";

export const strangerRecipient = await identityToRecipient(strangerIdentity);
export const big = seededBytes(3_000_000, "big");
export const site: Tree = tree({
  "a/1.txt": "one",
  "a/b/2.txt": "two",
  big,
  "empty/": directory,
  l: link("a/1.txt"),
  "ü 🎉": "letters",
});

export interface Desk extends Home {
  readonly at: (name: string) => string;
  /** `xvault artifact …` */
  readonly artifact: (...args: string[]) => ReturnType<Home["xvault"]>;
}

/** A directory with a tree `site`, the key files `key` and `stranger`, and where wanted the tree's artifact `sealed`. */
export async function openDesk(t: TestContext, { sealed = true } = {}): Promise<Desk> {
  const home = await makeHome();
  t.after(() => home[Symbol.asyncDispose]());
  const at = (name: string) => join(home.directory, name);
  await writeTree(at("site"), site);
  await writeFile(at("key"), `# created: 2026-11-21\n# public key: ${recipient}\n${identity}\n`);
  await writeFile(at("stranger"), strangerIdentity);
  const desk = { ...home, at, artifact: (...args: string[]) => home.xvault(["artifact", ...args]) };
  if (!sealed) return desk;
  const { signal } = new AbortController();
  const storage = localDirectory(at("sealed"));
  await seal({
    ...sealOptions(readTree(at("site"), { warn: ({ message }) => assert.fail(message), signal })),
    storage,
    signal,
  });
  return desk;
}

/** One sentence, and no name of a class or a stack in it. */
export function isSentence(text: string): boolean {
  return /^[^\n]+[.…]\n$/.test(text) && !/Error|undefined|\[object|\bat .*:\d/.test(text);
}

/** What is said of the progress where there is no terminal, taken away. */
export function without(stderr: string): string {
  return stderr.replace(/^(Sealing|Verification|Extraction|New keys) (of|for) [^\n]*\n/gm, "");
}

export async function damage(path: string, position: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
  await writeFile(path, bytes);
}
