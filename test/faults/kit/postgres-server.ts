// A real Postgres of its own, for one test: to be killed, started again, held still, and filled with connections.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { migrate } from "../../../prisma/migrate.ts";
import { startPostgres } from "../../../server/one-machine/postgres.ts";
import { postgresBinaries } from "../../../server/one-machine/postgres-binaries.ts";
import { asAccount, serviceAccount, serviceFolder } from "../../../server/one-machine/service-account.ts";

/** Disposing ends it and removes its data. It keeps its address and its data as long as it lives. */
export interface StagedPostgres extends AsyncDisposable {
  /** Of a migrated database. */
  readonly url: string;
  /** As `pg_ctl -m immediate` does: nobody is told, nothing is finished, and the next start recovers from the log. */
  crash(): Promise<void>;
  /** After a crash; resolves when it answers. */
  start(): Promise<void>;
  /** Holds all of its processes still; connections stay, and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** What was committed outlives a crash of the server, though not one of the machine: it waits for no disk. */
const settings = { fsync: "off", max_connections: "100", log_min_messages: "fatal" };

export async function stagePostgresServer(): Promise<StagedPostgres> {
  await using stack = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "xvault-faulty-postgres-"));
  stack.defer(() => rm(home, { recursive: true, force: true }));
  const account = await serviceAccount();
  const folder = await serviceFolder(home, "postgres", account);
  stack.defer(() => rm(dirname(folder), { recursive: true, force: true }));
  const made = await startPostgres({
    folder,
    account,
    password: randomBytes(16).toString("hex"),
    settings,
    onLine() {},
  });
  const { url } = made;
  await migrate(url);
  // From here on it is the test's own child, which nobody starts again behind its back.
  await made[Symbol.asyncDispose]();
  const { postgres } = await postgresBinaries(account, account?.home ?? folder);
  const flags = Object.entries({
    ...settings,
    listen_addresses: "127.0.0.1",
    port: new URL(url).port,
    unix_socket_directories: "",
  }).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  let server: ChildProcess | null = null;

  async function start(): Promise<void> {
    const started = spawn(postgres, ["-D", join(folder, "data"), ...flags], { ...asAccount(account), stdio: "ignore" });
    server = started;
    const deadline = performance.now() + 60_000;
    while (!(await answers(url))) {
      if (started.exitCode !== null || performance.now() > deadline) throw new Error("postgres did not start");
      await sleep(20);
    }
  }

  async function crash(): Promise<void> {
    const ending = server;
    server = null;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const end = once(ending, "exit");
    ending.kill("SIGQUIT");
    await end;
  }

  async function signalAll(signal: NodeJS.Signals): Promise<void> {
    const pid = server?.pid;
    if (pid === undefined) throw new Error("postgres is not running");
    // First the one who makes the others.
    process.kill(pid, signal);
    for (const child of await childrenOf(pid)) process.kill(child, signal);
  }

  stack.defer(async () => {
    if (server?.pid !== undefined) await signalAll("SIGCONT").catch(() => undefined);
    await crash();
  });
  await start();
  const running = stack.move();
  return {
    url,
    start,
    crash,
    pause: () => signalAll("SIGSTOP"),
    resume: () => signalAll("SIGCONT"),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    }),
  );
  return pids.map(Number).filter((_, index) => parents[index] === parent);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
