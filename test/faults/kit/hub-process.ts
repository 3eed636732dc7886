// Hubs as processes of their own, on a database and a Redis that outlive them: to be killed, stopped and started again.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { enrol, enrolWorker } from "../../../domain/enrolments.ts";
import type { Hub } from "../../../domain/hub.ts";
import { connectDatabase, type Database } from "../../../prisma/connect.ts";
import { createFirstOwner, type FirstOwner } from "../../../server/first-owner.ts";
import { leanProcess } from "../../../server/one-machine/lean-process.ts";
import { freePort } from "../../../server/one-machine/port.ts";
import { stageDatabase } from "../../stage/postgres.ts";
import { type StagedRedis, stageRedis } from "../../stage/redis.ts";
import { type Fault, faulty } from "./fault.ts";

/** Disposing removes all of it; hubs that stand on it are ended before. */
export interface StagedEarth extends AsyncDisposable {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly redis: StagedRedis;
  readonly restorePort: number;
  readonly owner: FirstOwner;
  /** Files of secrets, as the hub's environment names them. */
  readonly secretFiles: Readonly<Record<string, string>>;
  enrol(role: "BACKUP" | "RESTORE"): Promise<{ id: string; token: string }>;
}

/** `databaseUrl`: a migrated database of the caller's own, which is left alone afterwards. */
export async function stageEarth({ databaseUrl }: { databaseUrl?: string } = {}): Promise<StagedEarth> {
  await using started = new AsyncDisposableStack();
  const redis = started.use(await stageRedis());
  const url = databaseUrl ?? started.use(await stageDatabase()).url;
  const db = connectDatabase(url, { onConnectionLost: () => {} });
  started.defer(() => db.$disconnect());
  const directory = await mkdtemp("/var/tmp/xvault-earth-");
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const secrets = {
    DATABASE_URL: url,
    REDIS_URL: redis.url,
    HUB_JWT_SECRET: randomBytes(32).toString("base64url"),
    HUB_ENCRYPTION_KEK: randomBytes(32).toString("base64"),
  };
  const secretFiles: Record<string, string> = {};
  for (const [name, value] of Object.entries(secrets)) {
    const file = join(directory, name);
    await writeFile(file, value, { mode: 0o600 });
    secretFiles[`${name}_FILE`] = file;
  }
  const silent = { jobChanged() {}, snapshotsChanged() {}, workersChanged() {}, jobDue() {} };
  const bare = { db, platform: db, announce: silent } as unknown as Hub;
  const owner = await createFirstOwner(bare, "owner@example.com");
  if (!owner) throw new Error("the database has accounts already");
  const restorePort = await freePort();
  const stack = started.move();
  return {
    ...{ db, databaseUrl: url, redis, restorePort, owner, secretFiles },
    async enrol(role) {
      const made = await enrolWorker(bare, { kind: "system" }, { name: `staged ${role}`, role });
      const { workerId, token } = await enrol(bare, made.token);
      return { id: workerId, token };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export interface HubProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly fault?: Fault;
  readonly traceFile?: string;
}

/** Disposing ends the process. It keeps its addresses when it is started again. */
export interface HubProcess extends StagedEarth {
  readonly graphqlUrl: string;
  readonly publicUrl: string;
  readonly privateUrl: string;
  readonly child: ChildProcess;
  /** How often it was started. */
  readonly lives: number;
  /** Every line that it wrote, of all its lives. */
  readonly lines: readonly string[];
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Waits for an end that somebody else brings about. */
  ended(): Promise<void>;
  /** After it has ended; resolves when it answers. */
  start(options?: HubProcessOptions): Promise<void>;
}

/** Resolves when it is ready. The earth stays the caller's. */
export async function stageHubProcess(earth: StagedEarth, options: HubProcessOptions = {}): Promise<HubProcess> {
  const [publicPort, privatePort] = [await freePort(), await freePort()];
  const publicUrl = `http://127.0.0.1:${publicPort}`;
  const lines: string[] = [];
  let child: ChildProcess;
  let lives = 0;

  async function start({ env, fault, traceFile }: HubProcessOptions = options): Promise<void> {
    const { args, env: faultEnv } = faulty(fault, traceFile);
    const main = join(import.meta.dirname, "../../../server/main.ts");
    lives++;
    child = spawn(process.execPath, [...args, main], {
      env: {
        ...leanProcess,
        PATH: process.env.PATH ?? "",
        ...earth.secretFiles,
        HUB_PORT: String(publicPort),
        HUB_INTERNAL_PORT: String(privatePort),
        HUB_AUTO_MIGRATE: "false",
        HUB_HEARTBEAT_SECONDS: "1",
        HUB_SWEEP_SECONDS: "0.5",
        HUB_OPERATIONS_PER_MINUTE: "1000000",
        SOURCE_ALLOWED_NETWORKS: "127.0.0.0/8",
        SOURCE_TESTS_PER_MINUTE: "100000",
        RESTORE_PUBLIC_URL: `http://127.0.0.1:${earth.restorePort}`,
        ...faultEnv,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on("line", (line) => lines.push(line));
    const deadline = performance.now() + 60_000;
    while (
      !(await fetch(`${publicUrl}/ready`).then(
        ({ ok }) => ok,
        () => false,
      ))
    ) {
      if (isOver(child) || performance.now() > deadline)
        throw new Error(`the hub did not become ready:\n${lines.slice(-10).join("\n")}`);
      await pause(50);
    }
  }
  const ended = async () => {
    if (!isOver(child)) await once(child, "exit");
  };
  const end = async (signal: NodeJS.Signals) => {
    if (isOver(child)) return;
    const force = setTimeout(() => child.kill("SIGKILL"), 40_000);
    child.kill(signal);
    await ended();
    clearTimeout(force);
  };
  await start();
  return {
    ...earth,
    publicUrl,
    graphqlUrl: `${publicUrl}/graphql`,
    privateUrl: `http://127.0.0.1:${privatePort}`,
    get child() {
      return child;
    },
    get lives() {
      return lives;
    },
    ...{ lines, end, ended, start },
    [Symbol.asyncDispose]: () => end("SIGKILL"),
  };
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
