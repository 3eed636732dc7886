// The whole of xVault on one machine: the ground, a hub in this process, a worker and a restore service as children.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { ensureWorker } from "../../domain/enrolments.ts";
import { countOnlineWorkers } from "../../domain/workers.ts";
import { readHubConfig } from "../config.ts";
import type { FirstOwner } from "../first-owner.ts";
import { type RunningHub, startHub } from "../hub.ts";
import { nodeChild } from "./children.ts";
import type { OneMachineConfig } from "./config.ts";
import { startGround } from "./ground.ts";
import { type Home, openHome } from "./home.ts";
import { leanProcess } from "./lean-process.ts";
import { freePort } from "./port.ts";

export interface Stack extends AsyncDisposable {
  readonly graphqlUrl: string;
  readonly graphiqlUrl: string;
  readonly healthUrl: string;
  readonly restoreUrl: string;
  readonly storageBase: string;
  readonly home: string;
  /** Set at the very first start only. */
  readonly owner: FirstOwner | null;
}

export interface StackOptions {
  readonly config: OneMachineConfig;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** Everything that children write, line by line. */
  readonly onLine: (service: string, line: string) => void;
}

/** Where the figures of the children are told. */
const metricsNames = ["METRICS_HOST", "WORKER_METRICS_PORT", "RESTORE_METRICS_PORT"];
const onlineWithinMs = 30_000;

/** Resolves once a backup could be started; throws, with nothing left running, where it cannot come up. */
export async function startStack({ config, env, log, onLine }: StackOptions): Promise<Stack> {
  await using started = new AsyncDisposableStack();
  const home = started.use(await openHome(config.home));
  const ground = started.use(
    await startGround(home, {
      onLine,
      ...(config.databaseUrl && { databaseUrl: config.databaseUrl }),
      ...(config.redisUrl && { redisUrl: config.redisUrl }),
    }),
  );
  const restorePort = config.restorePort || (await freePort());
  const restoreUrl = config.restorePublicUrl ?? `http://127.0.0.1:${restorePort}`;
  const hubConfig = readHubConfig({
    ...env,
    DATABASE_URL: ground.databaseUrl,
    REDIS_URL: ground.redisUrl,
    HUB_JWT_SECRET: home.jwtSecret,
    HUB_ENCRYPTION_KEK: home.kek,
    HUB_ENCRYPTION_PREVIOUS_KEKS: home.previousKeks,
    RESTORE_PUBLIC_URL: restoreUrl,
  });
  const running = started.use(await startHub(hubConfig, log));
  const storageBase = config.storageBase ?? (await home.folder("backups"));
  const dataPlane = {
    ...leanProcess,
    HUB_BASE_URL: `http://127.0.0.1:${running.privatePort}`,
    // Addresses with passwords reach children by file, never by environment.
    REDIS_URL_FILE: await home.replaceSecret("redis-url", ground.redisUrl),
    WORKER_STORAGE_BASE: storageBase,
    WORKER_TEMP_BASE: config.tempBase ?? (await home.folder("temp")),
    LOG_LEVEL: hubConfig.logLevel,
    ...Object.fromEntries(metricsNames.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
  };
  const start = async (name: "worker" | "restore", extra: Record<string, string>) => {
    const role = name === "worker" ? "BACKUP" : "RESTORE";
    const identity = await enrol(home, running, name, role);
    const script = new URL(`../../${name}/main.ts`, import.meta.url);
    const onDeath = (message: string) => log.error({ service: name }, message);
    started.use(
      nodeChild(
        script,
        { ...dataPlane, ...identity, ...extra },
        { name, onLine: (line) => onLine(name, line), onDeath },
      ),
    );
  };
  await start("worker", { SOURCE_ALLOWED_NETWORKS: config.allowedNetworks });
  await untilOnline(running, 1);
  await start("restore", { RESTORE_PORT: String(restorePort), RESTORE_PUBLIC_URL: restoreUrl });
  await untilOnline(running, 2);
  const base = `http://127.0.0.1:${running.publicPort}`;
  const stack = started.move();
  return {
    graphqlUrl: `${base}/graphql`,
    graphiqlUrl: `${base}/graphiql`,
    healthUrl: `${base}/health`,
    restoreUrl,
    storageBase,
    home: home.directory,
    owner: running.firstOwner,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The worker's token is made once and kept in the home; the hub learns it again where its database is a new one. */
async function enrol(home: Home, { hub }: RunningHub, name: string, role: "BACKUP" | "RESTORE") {
  const secret = `${name}-token`;
  const token = await home.secret(
    secret,
    () => `xvw_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`,
  );
  const worker = await ensureWorker(hub, { name: `${name} of this machine`, role, token });
  return { WORKER_ID: worker.id, WORKER_TOKEN_FILE: join(home.directory, "secrets", secret) };
}

async function untilOnline({ hub }: RunningHub, count: number): Promise<void> {
  const deadline = performance.now() + onlineWithinMs;
  while ((await countOnlineWorkers(hub)) < count) {
    if (performance.now() > deadline)
      throw new Error(
        `The worker or the restore service did not come up within ${onlineWithinMs / 1000} s: see the log.`,
      );
    await pause(100);
  }
}
