// Reads the settings of a process of the data plane from its environment, and says in one sentence each what is wrong with them.
import { readFileSync } from "node:fs";
import * as z from "zod";

const notAToken =
  "not a token. A process without one joins with a WORKER_ENROLMENT_TOKEN, which enrolWorker shows once.";

export const defaultTempBase = "/tmp/gobackup";

/** What every process of the data plane is told. */
export const dataPlaneEnvironment = {
  HUB_BASE_URL: z.url({ protocol: /^https?$/, error: "not an address such as http://hub:8081." }),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: "not an address such as redis://host:6379." }),
  WORKER_ID: z.string("not an id.").regex(/^[A-Za-z0-9_-]{1,64}$/, "not an id."),
  WORKER_TOKEN: z.string(notAToken).min(32, notAToken),
  WORKER_TEMP_BASE: z.string().default(defaultTempBase),
  METRICS_HOST: z.string().default("127.0.0.1"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
};

const secretNames = ["WORKER_TOKEN", "REDIS_URL"];

/**
 * Throws an `Error` whose message lists everything that is wrong, without values. An empty variable counts as not set;
 * `NAME_FILE` may name a file that holds the value of a secret.
 */
export function readEnvironment<Schema extends z.ZodObject>(schema: Schema, env: NodeJS.ProcessEnv): z.infer<Schema> {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const secrets = Object.fromEntries(secretNames.map((name) => [name, readSecret(set, name)]));
  const parsed = schema.safeParse({ ...set, ...secrets });
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
}

/** The value of `NAME`, or what is in the file that `NAME_FILE` names. Throws where that cannot be read. */
export function readSecret(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name];
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    throw new Error(`${name}_FILE: names a file that cannot be read.`);
  }
}
