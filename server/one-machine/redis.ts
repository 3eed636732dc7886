// Runs the Redis (or Valkey) of the one-command mode, and installs one where it may.
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { canInstallPackages, installPackages } from "./apt.ts";
import { Child } from "./children.ts";
import { stopOrphan } from "./orphan.ts";
import { rememberedPort } from "./port.ts";
import { asAccount, ownedFolder, type ServiceAccount } from "./service-account.ts";

export interface RedisOptions {
  /** The service's own folder; the account can enter it. */
  readonly folder: string;
  readonly account: ServiceAccount | null;
  /** Letters, digits, - and _ only. */
  readonly password: string;
  readonly onLine: (line: string) => void;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
}

/** Disposing stops the server, which saves first. */
export interface RunningRedis extends AsyncDisposable {
  /** Holds the password. */
  readonly url: string;
  readonly pid: number | undefined;
}

const startupMs = 30_000;

/** @throws Error that names what is missing, or holds the server's last lines where it does not come up. */
export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  const { folder, account, onLine } = options;
  const command = await redisCommand(onLine);
  const data = await ownedFolder(join(folder, "data"), account);
  if (await stopOrphan({ pidFile: join(data, "redis.pid"), directory: data, stopSignal: "SIGTERM" }))
    onLine("stopped the Redis that an earlier start left running");
  for (let attempt = 1; ; attempt++) {
    const port = await rememberedPort(join(folder, "port"));
    try {
      return await serve(command, data, port, options);
    } catch (error) {
      const portTaken = (error as Error).message.includes("already in use");
      if (!portTaken || attempt === 3) throw error;
    }
  }
}

/** Path of a server to run, Valkey's where there is no Redis. */
export async function findRedis(): Promise<string | null> {
  for (const name of ["redis-server", "valkey-server"])
    for (const folder of ["/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/opt/homebrew/bin"]) {
      const path = join(folder, name);
      if (
        await access(path, constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return path;
    }
  return null;
}

async function redisCommand(onLine: (line: string) => void): Promise<string> {
  const found = await findRedis();
  if (found !== null) return found;
  if (await canInstallPackages()) {
    onLine("installing redis-server from Debian");
    await installPackages(["redis-server"], onLine);
    const installed = await findRedis();
    if (installed !== null) return installed;
  }
  throw new Error("Install redis-server or valkey-server, or set REDIS_URL to a Redis that runs elsewhere.");
}

async function serve(
  command: string,
  data: string,
  port: number,
  { account, password, onLine, signal }: RedisOptions,
): Promise<RunningRedis> {
  const settings = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(data)}`,
    `pidfile ${JSON.stringify(join(data, "redis.pid"))}`,
    "daemonize no",
    "appendonly yes",
    'save ""', // the append-only file alone: snapshots would be a second copy
    "maxmemory-policy noeviction", // what it holds is short-lived, but none of it may vanish unnoticed
  ];
  const server = new Child({
    name: "Redis",
    start: () => {
      // The settings hold the password: through stdin they are in no file, argument or environment.
      const started = spawn(command, ["-"], { ...asAccount(account), detached: true });
      started.stdin.on("error", () => {}); // it ended before reading, and its exit says so
      started.stdin.end(`${settings.join("\n")}\n`);
      return started;
    },
    onLine,
    onDeath: onLine,
  });
  const url = `redis://:${password}@127.0.0.1:${port}`;
  await server.ready(() => answers(url), startupMs, signal);
  return {
    url,
    get pid() {
      return server.pid;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** Once its data is loaded. */
async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 2_000,
    maxRetriesPerRequest: 0,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.ping()) === "PONG";
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
