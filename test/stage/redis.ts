// A real Redis for one test, that can be emptied, stopped and started again.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { freePort } from "../../server/one-machine/port.ts";
import { findRedis } from "../../server/one-machine/redis.ts";

/** Disposing ends it. It keeps its address when it is stopped and started, but none of its data. */
export interface StagedRedis extends AsyncDisposable {
  readonly url: string;
  /** As a crash does: connections break, and nothing is saved. */
  stop(): Promise<void>;
  start(): Promise<void>;
  flushAll(): Promise<void>;
}

// A test that is killed takes its Redis along, where the system can arrange that.
const diesWithParent = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] : [];

export async function stageRedis(): Promise<StagedRedis> {
  const command = await findRedis();
  if (command === null) throw new Error("redis-server is not installed; see test/stage/install.ts");
  const password = randomBytes(16).toString("hex");
  const port = await freePort();
  const url = `redis://:${password}@127.0.0.1:${port}`;
  let running: ChildProcess | null = null;

  async function start(): Promise<void> {
    if (running) return;
    const [file = "", ...args] = [...diesWithParent, command ?? "", "-"];
    const redis = spawn(file, args, { cwd: "/", detached: true, stdio: ["pipe", "ignore", "ignore"] });
    running = redis;
    const settings = [`port ${port}`, "bind 127.0.0.1", `requirepass ${password}`, 'save ""', "appendonly no"];
    redis.stdin.end(`${settings.join("\n")}\n`);
    const deadline = performance.now() + 20_000;
    while (!(await answers(url))) {
      if (redis.exitCode !== null || performance.now() > deadline)
        throw new Error(`redis did not start on port ${port}`);
      await sleep(20);
    }
  }

  async function stop(): Promise<void> {
    const redis = running;
    running = null;
    if (!redis || redis.exitCode !== null || redis.signalCode !== null) return;
    const end = new Promise((resolve) => redis.once("exit", resolve));
    redis.kill("SIGKILL");
    await end;
  }

  await start();
  return {
    url,
    stop,
    start,
    flushAll: () => withClient(url, async (client) => void (await client.flushall())),
    [Symbol.asyncDispose]: stop,
  };
}

function answers(url: string): Promise<boolean> {
  return withClient(url, async (client) => (await client.ping()) === "PONG").catch(() => false);
}

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}
