// A real MariaDB server for one test: throw-away data of its own, on a port of the loopback address and on a Unix socket.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../../server/one-machine/port.ts";
import { available } from "../available.ts";

const run = promisify(execFile);

/** Why it cannot be staged here; null where it can. */
export const missingMariadb: string | null =
  available("mariadbd") ??
  (process.getuid?.() === 0 ? null : "a staged MariaDB runs as its own user, which needs root");

export interface MariadbOptions {
  /** Whether it offers TLS, under a certificate for `localhost` and 127.0.0.1; it does by default. */
  readonly tls?: boolean;
  /** Further arguments of mariadbd. */
  readonly settings?: readonly string[];
}

/** Disposing stops it and removes all that belongs to it. */
export interface StagedMariadb extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly socket: string;
  /** May read everything there is, and change nothing. */
  readonly username: string;
  readonly password: string;
  /** In PEM: signed the server's certificate. */
  readonly authority: string;
  /** Runs statements as root. Rows come back as text, a line each, its columns with tabs between them. */
  query(sql: string | Uint8Array): Promise<string>;
  /** As a crash does. */
  kill(): Promise<void>;
}

/** With what option files and shells would take for something else. */
const password = `pw #Stage"1'\\$x;é`;
const username = "backup";
/** The least that a complete dump needs. */
const privileges = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, PROCESS";
const serviceUser = "mysql";
const diesWithParent = existsSync("/usr/bin/setpriv") ? ["--pdeathsig", "KILL"] : [];
const lean = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=32M"];

export async function stageMariadb({ tls = true, settings = [] }: MariadbOptions = {}): Promise<StagedMariadb> {
  if (missingMariadb) throw new Error(missingMariadb);
  await using cleanUp = new AsyncDisposableStack();
  const files = await mkdtemp(join(tmpdir(), "xvault-mariadb-"));
  cleanUp.defer(() => rm(files, { recursive: true, force: true }));
  await chmod(files, 0o755);
  await cp(await freshData(), join(files, "data"), { recursive: true });
  const socket = join(files, "socket");
  await mkdir(join(files, "temporary"));
  const port = await freePort();
  const authority = await makeCertificate(files);
  const { cert, key } = { cert: join(files, "cert.pem"), key: join(files, "key.pem") };
  await run("chown", ["-R", serviceUser, files]);
  const server = await start(files, [
    `--port=${port}`,
    `--socket=${socket}`,
    ...(tls ? [`--ssl-cert=${cert}`, `--ssl-key=${key}`] : ["--skip-ssl"]),
    ...settings,
  ]);
  cleanUp.defer(() => stop(server));
  const query = (sql: string | Uint8Array) => ask(socket, sql);
  const literal = password.replaceAll(/['\\]/g, "\\$&");
  await query(
    `CREATE USER '${username}'@'%' IDENTIFIED BY '${literal}'; GRANT ${privileges} ON *.* TO '${username}'@'%'`,
  );
  const kept = cleanUp.move();
  return {
    host: "127.0.0.1",
    port,
    socket,
    username,
    password,
    authority,
    query,
    kill: () => stop(server),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

let fresh: Promise<string> | undefined;

/** Made once per process, because it takes a second, and copied from then on. */
function freshData(): Promise<string> {
  fresh ??= installData();
  return fresh;
}

async function installData(): Promise<string> {
  const files = await mkdtemp(join(tmpdir(), "xvault-mariadb-fresh-"));
  process.once("exit", () => rmSync(files, { recursive: true, force: true }));
  await run("chown", [serviceUser, files]);
  const data = join(files, "data");
  await run("mariadb-install-db", [
    "--no-defaults",
    `--user=${serviceUser}`,
    `--datadir=${data}`,
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    ...lean,
  ]);
  return data;
}

/** An authority of this server alone, and a certificate that it signed. */
async function makeCertificate(files: string): Promise<string> {
  const at = (name: string) => join(files, name);
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await writeFile(at("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const openssl = (...args: string[]) => run("openssl", args);
  await openssl("req", "-x509", ...ec, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=staged authority");
  await openssl("req", ...ec, "-keyout", at("key.pem"), "-out", at("request.pem"), "-subj", "/CN=localhost");
  const signing = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-extfile", at("names")];
  await openssl("x509", "-req", "-in", at("request.pem"), "-out", at("cert.pem"), "-days", "2", ...signing);
  return readFile(at("ca.pem"), "utf8");
}

async function start(files: string, settings: readonly string[]): Promise<ChildProcess> {
  const errors = join(files, "errors");
  const server = spawn(
    "setpriv",
    [
      ...[`--reuid=${serviceUser}`, `--regid=${serviceUser}`, "--clear-groups", ...diesWithParent, "--"],
      ...["mariadbd", "--no-defaults", `--datadir=${join(files, "data")}`, "--bind-address=127.0.0.1"],
      ...["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF"],
      // Of its own: a server that starts removes temporary tables from there, also those of another one.
      `--tmpdir=${files}/temporary`,
      ...["--character-set-server=utf8mb4", `--log-error=${errors}`, `--pid-file=${join(files, "pid")}`],
      ...lean,
      ...settings,
    ],
    { cwd: "/", stdio: "ignore" },
  );
  const deadline = performance.now() + 30_000;
  const socket = join(files, "socket");
  while (
    !(await ask(socket, "DO 0").then(
      () => true,
      () => false,
    ))
  ) {
    if (server.exitCode !== null || server.signalCode !== null || performance.now() > deadline)
      throw new Error(`mariadbd did not start: ${await readFile(errors, "utf8").catch(() => "no log")}`);
    await pause(20);
  }
  return server;
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const end = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGKILL");
  await end;
}

function ask(socket: string, sql: string | Uint8Array): Promise<string> {
  const options = ["--no-defaults", `--socket=${socket}`, "-uroot", "--batch", "--skip-column-names", "--skip-ssl"];
  return new Promise((resolve, reject) => {
    const child = execFile(
      "mariadb",
      [...options, "--default-character-set=utf8mb4", "--max-allowed-packet=64M"],
      { maxBuffer: 1 << 28 },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    );
    // A statement that fails ends the client before it has read everything.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(sql);
  });
}
