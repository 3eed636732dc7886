// Reads the settings of the restore service from the environment, once, and says in one sentence each what is wrong with them.
import { readFileSync } from "node:fs";
import * as z from "zod";

const notAToken = "not a token: it is shown once, when the restore service is enrolled.";

const environment = z.object({
  RESTORE_HOST: z.string().default("127.0.0.1"),
  RESTORE_PORT: z.coerce.number().int().min(0).max(65_535).default(8082),
  RESTORE_PUBLIC_URL: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8082"),
  HUB_BASE_URL: z.url({ protocol: /^https?$/, error: "not an address such as http://hub:8081." }),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "not an address such as redis://host:6379." }),
  WORKER_ID: z.string("not an id.").regex(/^[A-Za-z0-9_-]{1,64}$/, "not an id."),
  WORKER_TOKEN: z.string(notAToken).min(32, notAToken),
  WORKER_STORAGE_BASE: z
    .string()
    .default("/var/lib/xvault/backups")
    .transform((list) => list.split(",").flatMap((base) => base.trim() || []))
    .refine((bases) => bases.length > 0, "names no directory."),
  WORKER_TEMP_BASE: z.string().default("/tmp/gobackup"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
});

export interface RestoreConfig {
  /** Address to listen on. */
  readonly host: string;
  /** Where downloads are served; 0: any free port. */
  readonly port: number;
  /** How customers reach it: only told to the operator, links are made by the hub. */
  readonly publicUrl: string;
  readonly hubBaseUrl: string;
  readonly redisUrl: string;
  readonly workerId: string;
  readonly token: string;
  /** Directories of the stores that can be read here. */
  readonly storeBases: readonly string[];
  /** Where downloads are prepared; belongs to this process alone. */
  readonly tempBase: string;
  readonly logLevel: string;
}

/**
 * Throws an `Error` whose message lists everything that is wrong, without values. An empty variable counts as not set;
 * `NAME_FILE` may name a file that holds the value of a secret.
 */
export function readRestoreConfig(env: NodeJS.ProcessEnv = process.env): RestoreConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const secrets = { WORKER_TOKEN: secret(set, "WORKER_TOKEN"), REDIS_URL: secret(set, "REDIS_URL") };
  const parsed = environment.safeParse({ ...set, ...secrets });
  if (!parsed.success)
    throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  const values = parsed.data;
  return {
    host: values.RESTORE_HOST,
    port: values.RESTORE_PORT,
    publicUrl: values.RESTORE_PUBLIC_URL,
    hubBaseUrl: values.HUB_BASE_URL,
    redisUrl: values.REDIS_URL,
    workerId: values.WORKER_ID,
    token: values.WORKER_TOKEN,
    storeBases: values.WORKER_STORAGE_BASE,
    tempBase: values.WORKER_TEMP_BASE,
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
