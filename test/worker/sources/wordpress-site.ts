// Backs WordPress sites up from a staged server, and puts what came of it back: files into a directory, the dump into a database.
import assert from "node:assert/strict";
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Entry, printablePath, type Warning } from "#artifact/node";
import type { Source } from "../../../worker/sources/source.ts";
import { connectWordpress } from "../../../worker/sources/wordpress.ts";
import type { StagedMariadb } from "../../stage/peers/mariadb.ts";
import type { StagedOpenSsh } from "../../stage/peers/openssh.ts";
import { connectTo, type Differences, readContent } from "./reading.ts";

export function connectSite(sshd: StagedOpenSsh, path: string, other: Differences = {}): Promise<Source> {
  return connectTo(sshd, { path, connect: connectWordpress, ...other });
}

export interface BackedUp extends AsyncDisposable {
  /** What came as entries, as a restore would write it. */
  readonly directory: string;
  readonly paths: readonly string[];
  readonly warnings: readonly Warning[];
}

/** Reads all there is, in the order it comes. Disposing removes what was written. */
export async function backUp(source: Source): Promise<BackedUp> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "xvault-put-back-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const warnings: Warning[] = [];
  const paths: string[] = [];
  for await (const entry of source.entries((warning) => warnings.push(warning))) {
    assert.equal(typeof entry.path, "string");
    paths.push(printablePath(entry.path));
    await putBack(directory, entry);
  }
  const kept = stack.move();
  return { directory, paths, warnings, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function putBack(directory: string, entry: Entry): Promise<void> {
  const place = join(directory, String(entry.path));
  await mkdir(entry.kind === "directory" ? place : dirname(place), { recursive: true });
  const target = printablePath(entry.linkTarget ?? "");
  if (entry.kind === "file") await writeFile(place, await readContent(entry));
  if (entry.kind === "symlink") await symlink(target, place);
  if (entry.kind === "hardlink") await link(join(directory, target), place);
}

/** Every table of a database that begins with a prefix, and what its content comes to. */
export async function checksums(mariadb: StagedMariadb, database: string, prefix: string): Promise<string> {
  const quoted = (name: string) => `\`${name.replaceAll("`", "``")}\``;
  const tables = (await mariadb.query(`SHOW TABLES FROM ${quoted(database)}`)).trim().split("\n");
  const names = tables
    .filter((table) => table.startsWith(prefix))
    .map((table) => `${quoted(database)}.${quoted(table)}`);
  return mariadb.query(`CHECKSUM TABLE ${names.join(", ")}`);
}
