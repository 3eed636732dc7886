// Debian's own Postgres 15 for one test: as the hub's database, older than the one that comes along, and as a source to back up.
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { freePort } from "../../../server/one-machine/port.ts";
import { available } from "../available.ts";

const run = promisify(execFile);
const bin = "/usr/lib/postgresql/15/bin";
/** Where the programs themselves are, not Debian's choosers between versions. */
export const postgres15Bin = bin;

/** Why it cannot be staged here; null where it can. */
export const missingPostgres15: string | null =
  available("initdb") ??
  (process.getuid?.() === 0 ? null : "Debian's Postgres is started as its own user, which needs root");

export interface Postgres15Options {
  /** Whether it takes connections with TLS too, with a certificate for `localhost`. */
  readonly tls?: boolean;
  /** Besides those that are fixed here. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface StagedPostgres15 extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** A superuser. */
  readonly username: string;
  readonly password: string;
  /** PEM of what signed its certificate; empty where it has none. */
  readonly authority: string;
  /** Everything in the database, as `pg_dump` writes it. */
  dump(): Promise<string>;
  /** Runs SQL, several statements if need be, and gives the rows of the last. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** Restores what `pg_dump` wrote in custom format; stops at the first error. */
  restore(archive: Uint8Array, database: string): Promise<void>;
  /** Runs SQL as psql does, stopping at the first error unless told otherwise; returns what it complained of. */
  runScript(sql: string | Uint8Array, options?: { readonly stopsAtError?: boolean }): Promise<string>;
  /** Ends it as a crash does. It stays down until it is restarted. */
  crash(): Promise<void>;
  restart(): Promise<void>;
}

const password = "staged";

export async function stagePostgres15(options: Postgres15Options = {}): Promise<StagedPostgres15> {
  if (missingPostgres15) throw new Error(missingPostgres15);
  await using cleanUp = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "xvault-pg15-"));
  cleanUp.defer(() => rm(directory, { recursive: true, force: true }));
  const data = join(directory, "data");
  const asPostgres = await initialize(directory, data);
  const port = await freePort();
  const certified = options.tls ? await certify(directory) : { authority: "", settings: {} };
  const settings: Record<string, string> = {
    port: `${port}`,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    ...certified.settings,
    ...options.settings,
  };
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
  const control = (...args: string[]) => asPostgres("pg_ctl", "-D", data, "-w", ...args);
  let runs = false;
  const start = async () => {
    await control("-l", join(directory, "log"), "-o", flags.join(" "), "start");
    runs = true;
  };
  await start();
  const crash = async () => {
    if (runs) await control("-m", "immediate", "stop");
    runs = false;
  };
  cleanUp.defer(crash);
  const kept = cleanUp.move();

  const url = (database: string) => `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  const withFile = async <T>(content: string | Uint8Array, use: (path: string) => Promise<T>): Promise<T> => {
    const path = join(directory, `given-${Math.random()}`);
    await writeFile(path, content);
    return use(path).finally(() => rm(path, { force: true }));
  };
  return {
    url: url("postgres"),
    host: "127.0.0.1",
    port,
    username: "postgres",
    password,
    authority: certified.authority,
    dump: async () => (await run(`${bin}/pg_dump`, ["--inserts", url("postgres")], { maxBuffer: 1 << 28 })).stdout,
    async query(sql, database = "postgres") {
      const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", password, database });
      client.on("error", () => undefined);
      await client.connect();
      try {
        const results = [await client.query(sql)].flat();
        return results.at(-1)?.rows ?? [];
      } finally {
        await client.end();
      }
    },
    restore: (archive, database) =>
      withFile(archive, async (path) => {
        await run(`${bin}/pg_restore`, ["--exit-on-error", `--dbname=${url(database)}`, path], { maxBuffer: 1 << 28 });
      }),
    runScript: (sql, { stopsAtError = true } = {}) =>
      withFile(sql, async (path) => {
        const stop = `--set=ON_ERROR_STOP=${stopsAtError ? 1 : 0}`;
        return (await run(`${bin}/psql`, ["-X", "-q", stop, `--file=${path}`, url("postgres")])).stderr;
      }),
    crash,
    restart: start,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type AsPostgres = (program: string, ...args: string[]) => Promise<unknown>;

/** Makes a cluster; returns the way to run programs as its owner. */
async function initialize(directory: string, data: string): Promise<AsPostgres> {
  const passwordFile = join(directory, "password");
  await writeFile(passwordFile, `${password}\n`);
  await run("chown", ["-R", "postgres", directory]);
  await chmod(directory, 0o755);
  const asPostgres: AsPostgres = (program, ...args) =>
    run("runuser", ["-u", "postgres", "--", `${bin}/${program}`, ...args], { cwd: "/" });
  const auth = ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", passwordFile];
  await asPostgres("initdb", "-D", data, ...auth, "-E", "UTF8", "--no-locale", "-N");
  return asPostgres;
}

/** It is its own authority. */
async function certify(directory: string) {
  const [certificate, key] = [join(directory, "server.crt"), join(directory, "server.key")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key];
  await run("openssl", ["req", "-x509", ...newKey, "-out", certificate, ...subject]);
  await run("chown", ["postgres", certificate, key]);
  return {
    authority: await readFile(certificate, "utf8"),
    settings: { ssl: "on", ssl_cert_file: certificate, ssl_key_file: key },
  };
}
