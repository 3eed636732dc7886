// Reads the hub's settings from the environment, once, and says in one sentence each what is wrong with them.
import { readFileSync } from "node:fs";
import * as z from "zod";

const seconds = (fallback: number) => z.coerce.number().positive().default(fallback);
const count = (fallback: number, least = 1) => z.coerce.number().int().min(least).default(fallback);
const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);

const newKek = "openssl rand -base64 32";

const kek = z
  .string(`HUB_ENCRYPTION_KEK is not set: it is the key that all secrets are sealed with (a new one: ${newKek}).`)
  .transform((text, context) => keyOf(text, "HUB_ENCRYPTION_KEK", context));

const previousKeks = z
  .string()
  .default("")
  .transform((list, context) =>
    listOf(list).map((each, n) => keyOf(each, `Number ${n + 1} of HUB_ENCRYPTION_PREVIOUS_KEKS`, context)),
  );

/** 32 bytes; says what is wrong with any other, and repeats nothing of it. */
function keyOf(text: string, name: string, context: z.RefinementCtx): Uint8Array {
  const isBase64 = z.base64().safeParse(text.trim()).success;
  const bytes = Buffer.from(text, "base64");
  if (!isBase64) context.addIssue(`${name} is not base64 (a new one: ${newKek}).`);
  else if (bytes.byteLength !== 32)
    context.addIssue(
      `${name} holds ${bytes.byteLength} bytes; it has to be 32, base64-encoded (a new one: ${newKek}).`,
    );
  return new Uint8Array(bytes);
}

const listOf = (list: string) => list.split(",").flatMap((each) => each.trim() || []);

/** The KEKs, the one that seals first; `_FILE` and lists as everywhere in the hub's environment. */
export const kekEnvironment = { HUB_ENCRYPTION_KEK: kek, HUB_ENCRYPTION_PREVIOUS_KEKS: previousKeks };

const environment = z.object({
  DATABASE_URL: z.url("DATABASE_URL is not an address such as postgres://user:password@host:5432/database."),
  REDIS_URL: z.url("REDIS_URL is not an address such as redis://host:6379."),
  HUB_HOST: z.string().default("127.0.0.1"),
  HUB_PORT: port(8080),
  HUB_INTERNAL_PORT: port(8081),
  HUB_JWT_SECRET: z.string().min(32, "HUB_JWT_SECRET has to have at least 32 characters."),
  HUB_JWT_PREVIOUS_SECRETS: z
    .string()
    .default("")
    .transform(listOf)
    .refine((list) => list.every((each) => each.length >= 32), "Each of them has to have at least 32 characters."),
  ...kekEnvironment,
  HUB_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  METRICS_HOST: z.string().default("127.0.0.1"),
  HUB_AUTO_MIGRATE: z.stringbool().default(true),
  HUB_CORS_ORIGINS: z.string().default(""),
  HUB_OWNER_EMAIL: z.email().default("owner@xvault.local"),
  HUB_LEASE_SECONDS: seconds(60),
  HUB_HEARTBEAT_SECONDS: seconds(15),
  HUB_INVENTORY_SECONDS: seconds(3600),
  HUB_ACCESS_TOKEN_MINUTES: z.coerce.number().positive().max(1440).default(15),
  HUB_SESSION_HOURS: z.coerce.number().positive().default(720),
  HUB_PASSWORD_TRIES: z.coerce.number().int().min(1).default(10),
  HUB_SWEEP_SECONDS: seconds(5),
  RETENTION_EVALUATION_INTERVAL_HOURS: z.coerce.number().positive().max(590).default(6),
  SOURCE_ALLOWED_NETWORKS: z.string().default(""),
  SOURCE_TESTS_PER_MINUTE: z.coerce.number().int().min(1).default(10),
  HUB_PUBLIC_URL: z.url("HUB_PUBLIC_URL is not an address such as https://vault.example.com.").optional(),
  HUB_PROXIES: count(0, 0),
  HUB_OPERATIONS_PER_MINUTE: count(600),
  HUB_ANONYMOUS_OPERATIONS_PER_MINUTE: count(60),
  HUB_SOCKETS_PER_USER: count(20),
  HUB_STREAMS_PER_USER: count(20),
  HUB_OPERATIONS_PER_SOCKET: count(20),
  HUB_CONNECTIONS: count(10_000),
  GRAPHIQL: z.stringbool("GRAPHIQL is either on or off.").default(true),
  RESTORE_PUBLIC_URL: z.url().default("http://127.0.0.1:8082"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).default("info"),
});

export interface HubConfig {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Address to listen on. */
  readonly host: string;
  readonly publicPort: number;
  readonly privatePort: number;
  /** Where Prometheus asks; null: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly jwtSecret: string;
  /** Secrets that signed tokens before, and whose tokens are still taken. */
  readonly jwtPreviousSecrets: readonly string[];
  /** 32 bytes. */
  readonly kek: Uint8Array;
  /** Others that secrets may be sealed with, 32 bytes each: they open, and seal nothing. */
  readonly previousKeks: readonly Uint8Array[];
  readonly autoMigrate: boolean;
  /** Web origins that may call the public surface from a browser. */
  readonly corsOrigins: readonly string[];
  readonly ownerEmail: string;
  readonly leaseSeconds: number;
  readonly heartbeatSeconds: number;
  /** How often a worker compares its store with the database. */
  readonly inventorySeconds: number;
  /** How long an access token is good for. */
  readonly accessTokenMinutes: number;
  /** How long a session lasts without being refreshed. */
  readonly sessionHours: number;
  /** How often in a quarter of an hour a password may be tried at one account. */
  readonly passwordTries: number;
  readonly sweepSeconds: number;
  readonly retentionIntervalHours: number;
  /** CIDR notation. */
  readonly allowedNetworks: readonly string[];
  readonly sourceTestsPerMinute: number;
  readonly retryDelaysSeconds: readonly number[];
  readonly lostDelaysSeconds: readonly number[];
  /** Without a trailing slash. */
  readonly restorePublicUrl: string;
  readonly logLevel: string;
  readonly edge: EdgeConfig;
}

/** The outer edge of the public surface. */
export interface EdgeConfig {
  /** Where it is reached from outside; null where that is not known. */
  readonly publicUrl: string | null;
  /** How many proxies of the operator's own stand in front and append to `X-Forwarded-For`. */
  readonly proxies: number;
  readonly graphiql: boolean;
  /** For each person and API key. */
  readonly operationsPerMinute: number;
  /** For each address of those who are not signed in. */
  readonly anonymousOperationsPerMinute: number;
  readonly socketsPerUser: number;
  /** Subscriptions over HTTP at a time. */
  readonly streamsPerUser: number;
  readonly operationsPerSocket: number;
  /** Of all callers together, over HTTP and WebSocket. */
  readonly connections: number;
}

/** Throws an `Error` whose message lists everything that is wrong. `NAME_FILE` may name a file that holds the value of a secret. */
export function readHubConfig(env: NodeJS.ProcessEnv): HubConfig {
  const parsed = environment.safeParse({
    ...env,
    HUB_JWT_SECRET: secret(env, "HUB_JWT_SECRET"),
    HUB_JWT_PREVIOUS_SECRETS: secret(env, "HUB_JWT_PREVIOUS_SECRETS"),
    HUB_ENCRYPTION_KEK: secret(env, "HUB_ENCRYPTION_KEK"),
    HUB_ENCRYPTION_PREVIOUS_KEKS: secret(env, "HUB_ENCRYPTION_PREVIOUS_KEKS"),
    DATABASE_URL: secret(env, "DATABASE_URL"),
    REDIS_URL: secret(env, "REDIS_URL"),
  });
  if (!parsed.success)
    throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  const values = parsed.data;
  return {
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    host: values.HUB_HOST,
    publicPort: values.HUB_PORT,
    privatePort: values.HUB_INTERNAL_PORT,
    metrics: metricsIn(values.HUB_METRICS_PORT, values.METRICS_HOST),
    jwtSecret: values.HUB_JWT_SECRET,
    jwtPreviousSecrets: values.HUB_JWT_PREVIOUS_SECRETS,
    kek: values.HUB_ENCRYPTION_KEK,
    previousKeks: values.HUB_ENCRYPTION_PREVIOUS_KEKS,
    autoMigrate: values.HUB_AUTO_MIGRATE,
    corsOrigins: values.HUB_CORS_ORIGINS.split(",").filter((origin) => origin !== ""),
    ownerEmail: values.HUB_OWNER_EMAIL,
    leaseSeconds: values.HUB_LEASE_SECONDS,
    heartbeatSeconds: values.HUB_HEARTBEAT_SECONDS,
    inventorySeconds: values.HUB_INVENTORY_SECONDS,
    accessTokenMinutes: values.HUB_ACCESS_TOKEN_MINUTES,
    sessionHours: values.HUB_SESSION_HOURS,
    passwordTries: values.HUB_PASSWORD_TRIES,
    allowedNetworks: networks(values.SOURCE_ALLOWED_NETWORKS),
    sourceTestsPerMinute: values.SOURCE_TESTS_PER_MINUTE,
    sweepSeconds: values.HUB_SWEEP_SECONDS,
    retentionIntervalHours: values.RETENTION_EVALUATION_INTERVAL_HOURS,
    retryDelaysSeconds: [5, 30],
    // Together with the lease, a sweep and a look at the queue the first keeps to 75 seconds from a worker's death to the next claim.
    lostDelaysSeconds: [2, 30],
    restorePublicUrl: values.RESTORE_PUBLIC_URL.replace(/\/+$/, ""),
    logLevel: values.LOG_LEVEL,
    edge: {
      publicUrl: values.HUB_PUBLIC_URL ?? null,
      proxies: values.HUB_PROXIES,
      graphiql: values.GRAPHIQL,
      operationsPerMinute: values.HUB_OPERATIONS_PER_MINUTE,
      anonymousOperationsPerMinute: values.HUB_ANONYMOUS_OPERATIONS_PER_MINUTE,
      socketsPerUser: values.HUB_SOCKETS_PER_USER,
      streamsPerUser: values.HUB_STREAMS_PER_USER,
      operationsPerSocket: values.HUB_OPERATIONS_PER_SOCKET,
      connections: values.HUB_CONNECTIONS,
    },
  };
}

function metricsIn(port: number | undefined, host: string): HubConfig["metrics"] {
  return port === undefined ? null : { host, port };
}

function networks(list: string): string[] {
  return list
    .split(",")
    .map((network) => network.trim())
    .filter((network) => network !== "");
}

/** The value of a secret, or of the file that `NAME_FILE` names. */
export function secret(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  return file ? readFileSync(file, "utf8").trim() : env[name];
}
