// Workers and restore services as real processes, to be watched, stopped and killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Database } from "../../prisma/connect.ts";
import { leanProcess } from "../../server/one-machine/lean-process.ts";
import { type Fault, faulty } from "../faults/kit/fault.ts";
import type { StagedRedis } from "./redis.ts";

/** What a worker or a restore service stands on: a hub of this process, or one of its own. */
export interface StagedGround {
  readonly db: Database;
  /** Base of the private surface, as `HUB_BASE_URL`. */
  readonly privateUrl: string;
  readonly redis: Pick<StagedRedis, "url">;
  /** Where download links point. */
  readonly restorePort: number;
  /** Makes a worker and its token. */
  enrol(role: "BACKUP" | "RESTORE"): Promise<WorkerIdentity>;
}

/** Disposing ends the process (SIGTERM, then SIGKILL) and removes its directories, unless they were given. */
export interface StagedProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly workerId: string;
  /** What it signs in with: another process may go on as the same worker. */
  readonly identity: WorkerIdentity;
  readonly storageBase: string;
  readonly tempBase: string;
  /** Every line that it wrote. */
  readonly lines: readonly string[];
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export interface WorkerIdentity {
  readonly id: string;
  readonly token: string;
}

export interface StagedProcessOptions {
  readonly storageBase?: string;
  readonly identity?: WorkerIdentity;
  readonly env?: Readonly<Record<string, string>>;
  readonly fault?: Fault;
  /** Gets a line for every fault point that is passed. */
  readonly traceFile?: string;
  /** Where its temporary directory is, when it has to outlive the process. */
  readonly tempBase?: string;
}

export function stageWorker(hub: StagedGround, options: StagedProcessOptions = {}): Promise<StagedProcess> {
  return stageProcess(hub, "worker", options);
}

/** Reads the store at `storageBase`, and serves downloads at the hub's `restorePort`. */
export function stageRestore(
  hub: StagedGround,
  options: StagedProcessOptions & { storageBase: string },
): Promise<StagedProcess> {
  return stageProcess(hub, "restore", options);
}

async function stageProcess(
  hub: StagedGround,
  kind: "worker" | "restore",
  options: StagedProcessOptions,
): Promise<StagedProcess> {
  const directory = await mkdtemp("/var/tmp/xvault-stage-");
  const storageBase = options.storageBase ?? join(directory, "store");
  const tempBase = options.tempBase ?? join(directory, "temp");
  const joins = options.env?.WORKER_ENROLMENT_TOKEN !== undefined;
  const given = options.identity ?? (joins ? null : await hub.enrol(kind === "worker" ? "BACKUP" : "RESTORE"));
  const { id, token } = given ?? { id: "", token: "" };
  const { args, env: faultEnv } = faulty(options.fault, options.traceFile);
  const child = await spawnDataPlane(hub, kind, {
    ...{ directory, storageBase, tempBase, id, token, args },
    env: { ...faultEnv, ...options.env },
  });
  // What an earlier process of the same identity left behind does not count.
  await hub.db.worker.updateMany({
    where: given ? { id } : { name: "newcomer" },
    data: { status: "OFFLINE" },
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    const force = setTimeout(() => child.kill("SIGKILL"), 40_000);
    await exited;
    clearTimeout(force);
  };
  let identity: WorkerIdentity;
  try {
    identity = { id: await online(hub, given ? { id } : { name: "newcomer" }, child, lines), token };
  } catch (error) {
    await end("SIGKILL");
    throw error;
  }
  return {
    child,
    workerId: identity.id,
    identity,
    storageBase,
    tempBase,
    lines,
    end,
    async [Symbol.asyncDispose]() {
      await end("SIGTERM");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface DataPlaneOptions {
  /** Of its own, for the files of its secrets. */
  readonly directory: string;
  readonly storageBase: string;
  readonly tempBase: string;
  readonly id: string;
  readonly token: string;
  /** Of Node. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the process and does not wait for it. */
export async function spawnDataPlane(
  hub: Pick<StagedGround, "privateUrl" | "redis" | "restorePort">,
  kind: "worker" | "restore",
  { directory, storageBase, tempBase, id, token, args = [], env }: DataPlaneOptions,
) {
  const tokenFile = join(directory, "token");
  const redisFile = join(directory, "redis-url");
  await writeFile(tokenFile, token, { mode: 0o600 });
  await writeFile(redisFile, hub.redis.url, { mode: 0o600 });
  return spawn(process.execPath, [...args, join(import.meta.dirname, "..", "..", kind, "main.ts")], {
    env: {
      ...leanProcess,
      PATH: process.env.PATH ?? "",
      HUB_BASE_URL: hub.privateUrl,
      REDIS_URL_FILE: redisFile,
      WORKER_ID: id,
      WORKER_TOKEN_FILE: tokenFile,
      WORKER_STORAGE_BASE: storageBase,
      WORKER_TEMP_BASE: tempBase,
      SOURCE_ALLOWED_NETWORKS: "127.0.0.0/8",
      RESTORE_PORT: String(hub.restorePort),
      RESTORE_PUBLIC_URL: `http://127.0.0.1:${hub.restorePort}`,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The id of the worker that came online. */
async function online(
  hub: StagedGround,
  where: { id: string } | { name: string },
  child: ChildProcess,
  lines: readonly string[],
): Promise<string> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const row = await hub.db.worker.findFirst({ where: { ...where, status: "ONLINE" } });
    if (row) return row.id;
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline)
      throw new Error(`the process did not come online:\n${lines.slice(-10).join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
