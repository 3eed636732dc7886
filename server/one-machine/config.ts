// Reads the settings of the one-command mode. Everything has a default; what it makes itself, it keeps in its home.
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";

const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);

const environment = z.object({
  XVAULT_HOME: z.string().optional(),
  DATABASE_URL: z.string().optional(),
  REDIS_URL: z.string().optional(),
  RESTORE_PORT: port(8082),
  RESTORE_PUBLIC_URL: z.url().optional(),
  WORKER_STORAGE_BASE: z.string().optional(),
  WORKER_TEMP_BASE: z.string().optional(),
  SOURCE_ALLOWED_NETWORKS: z.string().default(""),
  HUB_PORT: port(8080),
  HUB_INTERNAL_PORT: port(8081),
});

export interface OneMachineConfig {
  readonly home: string;
  /** Used instead of a Postgres of its own. */
  readonly databaseUrl: string | undefined;
  /** Used instead of a Redis of its own. */
  readonly redisUrl: string | undefined;
  /** 0: any free port. */
  readonly restorePort: number;
  readonly restorePublicUrl: string | undefined;
  readonly storageBase: string | undefined;
  readonly tempBase: string | undefined;
  readonly allowedNetworks: string;
}

/** Throws an `Error` that says what is wrong. */
export function readOneMachineConfig(env: NodeJS.ProcessEnv): OneMachineConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = environment.safeParse(set);
  if (!parsed.success)
    throw new Error(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
  const { data } = parsed;
  return {
    home: data.XVAULT_HOME ?? join(set.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "xvault"),
    databaseUrl: data.DATABASE_URL,
    redisUrl: data.REDIS_URL,
    restorePort: data.RESTORE_PORT,
    restorePublicUrl: data.RESTORE_PUBLIC_URL,
    storageBase: data.WORKER_STORAGE_BASE,
    tempBase: data.WORKER_TEMP_BASE,
    allowedNetworks: data.SOURCE_ALLOWED_NETWORKS,
  };
}
