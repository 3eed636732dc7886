// Reads the settings of a worker from the environment, once, and says in one sentence each what is wrong with them.
import { readFileSync } from "node:fs";
import * as z from "zod";
import { type Network, parseNetwork } from "./network-policy.ts";

const mebibyte = 1_048_576;

const environment = z.object({
  WORKER_ID: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "not an id."),
  WORKER_TOKEN: z.string().min(32, "not a token: it is shown once, when the worker is enrolled."),
  HUB_BASE_URL: z.url({ protocol: /^https?$/, error: "not an address such as http://hub:8081." }),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "not an address such as redis://host:6379." }),
  WORKER_STORAGE_BASE: z.string().default("/var/lib/xvault/backups"),
  WORKER_TEMP_BASE: z.string().default("/tmp/gobackup"),
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(2),
  WORKER_DISK_RESERVE_MB: z.coerce.number().int().min(0).default(4),
  SOURCE_ALLOWED_NETWORKS: z.string().default("").transform(parseNetworks),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
});

export interface WorkerConfig {
  readonly workerId: string;
  readonly token: string;
  /** Of the private surface. */
  readonly hubBaseUrl: string;
  readonly redisUrl: string;
  /** Belongs to this worker alone. */
  readonly storageBase: string;
  /** Where contents of unknown length wait, sealed, until their length is known. */
  readonly tempBase: string;
  /** Jobs at once. */
  readonly concurrency: number;
  /** With less than this free no backup is begun. */
  readonly reserveBytes: number;
  /** Networks that are not public and may be backed up all the same. */
  readonly allowedNetworks: readonly Network[];
  readonly logLevel: string;
}

/**
 * Throws an `Error` whose message lists everything that is wrong, without values. An empty variable counts as not set;
 * `NAME_FILE` may name a file that holds the value of a secret.
 */
export function readWorkerConfig(env: NodeJS.ProcessEnv = process.env): WorkerConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const secrets = { WORKER_TOKEN: secret(set, "WORKER_TOKEN"), REDIS_URL: secret(set, "REDIS_URL") };
  const parsed = environment.safeParse({ ...set, ...secrets });
  if (!parsed.success)
    throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  const values = parsed.data;
  return {
    workerId: values.WORKER_ID,
    token: values.WORKER_TOKEN,
    hubBaseUrl: values.HUB_BASE_URL,
    redisUrl: values.REDIS_URL,
    storageBase: values.WORKER_STORAGE_BASE,
    tempBase: values.WORKER_TEMP_BASE,
    concurrency: values.WORKER_CONCURRENCY,
    reserveBytes: values.WORKER_DISK_RESERVE_MB * mebibyte,
    allowedNetworks: values.SOURCE_ALLOWED_NETWORKS,
    logLevel: values.LOG_LEVEL,
  };
}

function secret(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name];
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    throw new Error(`${name}_FILE: names a file that cannot be read.`);
  }
}

function parseNetworks(list: string, context: z.RefinementCtx): Network[] {
  const networks = list.split(",").flatMap((each) => each.trim() || []);
  try {
    return networks.map(parseNetwork);
  } catch {
    context.addIssue({ code: "custom", message: "not a list of networks such as 10.0.0.0/8,fd00::/8." });
    return z.NEVER;
  }
}
