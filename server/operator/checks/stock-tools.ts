// Opens an artifact as somebody would who has never heard of xVault: with age, zstd and tar, which have to be installed.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DescribedTree } from "./check.ts";

/** The words of the README, with its paths as arguments. */
const script = 'set -o pipefail; age -d -i "$1" "$2/backup.tar.zst.enc" | zstd -d | tar -x -C "$3"';
const withinMs = 3_600_000;

/** What comes out, from a directory of this process's own that is gone afterwards. Throws where one of the programs fails. */
export async function unpackWithStockTools(artifact: string, identity: string): Promise<DescribedTree> {
  const directory = await mkdtemp(join(tmpdir(), "xvault-fsck-"));
  try {
    const key = join(directory, "key.txt");
    await writeFile(key, `${identity}\n`, { mode: 0o600 });
    const target = join(directory, "tree");
    await mkdir(target);
    await promisify(execFile)("bash", ["-c", script, "bash", key, artifact, target], { timeout: withinMs });
    return await describeDirectory(target);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What lies below it. */
export async function describeDirectory(base: string): Promise<DescribedTree> {
  const tree = new Map<string, string>();
  await describe(base, "", tree);
  return tree;
}

async function describe(base: string, prefix: string, tree: Map<string, string>): Promise<void> {
  for (const { name } of await readdir(join(base, prefix), { withFileTypes: true })) {
    const path = `${prefix}${name}`;
    const place = join(base, path);
    const stats = await lstat(place);
    if (stats.isFile()) tree.set(path, `file of ${stats.size} bytes, sha256 ${await sha256(place)}`);
    else if (stats.isSymbolicLink()) tree.set(path, `link to ${await readlink(place)}`);
    else tree.set(path, "directory");
    if (stats.isDirectory()) await describe(base, `${path}/`, tree);
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
