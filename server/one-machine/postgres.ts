// Runs the Postgres of the one-command mode: makes its cluster, starts it on the loopback address, and stops it.
import { execFile, spawn } from "node:child_process";
import { chown, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { Child } from "./children.ts";
import { stopOrphan } from "./orphan.ts";
import { rememberedPort } from "./port.ts";
import { type PostgresBinaries, postgresBinaries } from "./postgres-binaries.ts";
import { asAccount, ownedFolder, type ServiceAccount } from "./service-account.ts";

export interface PostgresOptions {
  /** The service's own folder; the account can enter it. */
  readonly folder: string;
  readonly account: ServiceAccount | null;
  /** Of user `xvault`; kept by the caller, because the cluster keeps the one it was made with. */
  readonly password: string;
  /** Server settings besides those that are fixed here. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
}

/** Disposing stops the server (fast shutdown): close pools first. */
export interface RunningPostgres extends AsyncDisposable {
  /** Of database `xvault`; holds the password. */
  readonly url: string;
  readonly pid: number | undefined;
}

const startupMs = 180_000; // recovery after a crash, or a first start on a busy machine

/**
 * Starts the server on the cluster in `folder`, which the first start makes.
 * @throws Error with the server's last lines where it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { folder, account } = options;
  const data = join(folder, "data");
  const pidFile = join(data, "postmaster.pid");
  if (await stopOrphan({ pidFile, directory: data, stopSignal: "SIGINT", forceSignal: "SIGQUIT" }))
    options.onLine("stopped the Postgres that an earlier start left running");
  const binaries = await postgresBinaries(account, account?.home ?? folder);
  await mkdir(folder, { recursive: true });
  if (!(await stat(join(data, "PG_VERSION")).catch(() => null))) await makeCluster(binaries, data, options);
  for (let attempt = 1; ; attempt++) {
    const port = await rememberedPort(join(folder, "port"));
    try {
      return await serve(binaries, data, port, options);
    } catch (error) {
      const portTaken = (error as Error).message.includes("could not bind");
      if (!portTaken || attempt === 3) throw error;
    }
  }
}

/** Under another name until it is whole: initdb killed half-way leaves a folder that looks like a cluster. */
async function makeCluster(binaries: PostgresBinaries, data: string, options: PostgresOptions): Promise<void> {
  const { account, password, signal } = options;
  const begun = `${data}.new`;
  const passwordFile = join(options.folder, "initial-password");
  await rm(begun, { recursive: true, force: true });
  await ownedFolder(begun, account);
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, password, { mode: 0o600, flag: "wx" });
  if (account) await chown(passwordFile, account.uid, account.gid);
  try {
    // The built-in locale sorts the same on every machine and still knows upper from lower case beyond ASCII.
    const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const sync = options.settings?.fsync === "off" ? ["--no-sync"] : [];
    const auth = ["--username=xvault", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
    await promisify(execFile)(binaries.initdb, ["-D", begun, ...locale, ...auth, ...sync], {
      ...asAccount(account),
      timeout: startupMs,
      ...(signal && { signal }),
    });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
    throw new Error(`Postgres could not make its database in ${options.folder}:\n${said}`, { cause: error });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(begun, data);
}

async function serve(
  binaries: PostgresBinaries,
  data: string,
  port: number,
  { account, password, settings = {}, onLine, signal }: PostgresOptions,
): Promise<RunningPostgres> {
  const fixed = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "" };
  const flags = Object.entries({ ...settings, ...fixed }).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const server = new Child({
    name: "Postgres",
    start: () => spawn(binaries.postgres, ["-D", data, ...flags], { ...asAccount(account), detached: true }),
    onLine,
    onDeath: onLine,
    stopSignal: "SIGINT", // fast: sessions end, nothing is lost
    forceSignal: "SIGQUIT",
  });
  const address = (database: string) => `postgresql://xvault:${password}@127.0.0.1:${port}/${database}`;
  await server.ready(() => answers(address("postgres")), startupMs, signal);
  try {
    await createDatabase(address("postgres"));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    url: address("xvault"),
    get pid() {
      return server.pid;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    // 28P01: it is up and refuses the password, which no waiting mends.
    if ((error as pg.DatabaseError).code === "28P01")
      throw new Error("Postgres refuses the password in this home: it was made with another.", { cause: error });
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = 'xvault'");
    if (rowCount === 0) await client.query("CREATE DATABASE xvault");
  } finally {
    await client.end();
  }
}
