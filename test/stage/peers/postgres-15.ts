// Debian's own Postgres 15 as the hub's database: an older server than the one that comes along, with its own pg_dump.
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../../../server/one-machine/port.ts";
import { available } from "../available.ts";

const run = promisify(execFile);
const bin = "/usr/lib/postgresql/15/bin";
const asPostgres = ["-u", "postgres", "--"];

/** Why it cannot be staged here; null where it can. */
export const missingPostgres15: string | null =
  available("initdb") ??
  (process.getuid?.() === 0 ? null : "Debian's Postgres is started as its own user, which needs root");

export interface StagedPostgres15 extends AsyncDisposable {
  readonly url: string;
  /** Everything in the database, as `pg_dump` writes it. */
  dump(): Promise<string>;
}

export async function stagePostgres15(): Promise<StagedPostgres15> {
  if (missingPostgres15) throw new Error(missingPostgres15);
  const directory = await mkdtemp(join(tmpdir(), "xvault-pg15-"));
  const [data, passwordFile] = [join(directory, "data"), join(directory, "password")];
  await writeFile(passwordFile, "staged\n");
  await run("chown", ["-R", "postgres", directory]);
  await chmod(directory, 0o755);
  const port = await freePort();
  const options = { cwd: "/" };
  await run(
    "runuser",
    [
      ...asPostgres,
      `${bin}/initdb`,
      "-D",
      data,
      "-U",
      "postgres",
      "-A",
      "scram-sha-256",
      "--pwfile",
      passwordFile,
      "-E",
      "UTF8",
      "--no-locale",
      "-N",
    ],
    options,
  );
  const flags = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off`;
  const control = (...args: string[]) =>
    run("runuser", [...asPostgres, `${bin}/pg_ctl`, "-D", data, "-w", ...args], options);
  await control("-l", join(directory, "log"), "-o", flags, "start");
  const url = `postgres://postgres:staged@127.0.0.1:${port}/postgres`;
  return {
    url,
    dump: async () => (await run(`${bin}/pg_dump`, ["--inserts", url], { maxBuffer: 1 << 28 })).stdout,
    async [Symbol.asyncDispose]() {
      await control("-m", "immediate", "stop");
      await rm(directory, { recursive: true, force: true });
    },
  };
}
