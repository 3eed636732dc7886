// Reads the settings of the restore service from the environment, once, and says in one sentence each what is wrong with them.
import * as z from "zod";
import { dataPlaneEnvironment, readEnvironment } from "../clients/hub/environment.ts";

const environment = z.object({
  ...dataPlaneEnvironment,
  RESTORE_HOST: z.string().default("127.0.0.1"),
  RESTORE_PORT: z.coerce.number().int().min(0).max(65_535).default(8082),
  RESTORE_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  RESTORE_PUBLIC_URL: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8082"),
  WORKER_STORAGE_BASE: z
    .string()
    .default("/var/lib/xvault/backups")
    .transform((list) => list.split(",").flatMap((base) => base.trim() || []))
    .refine((bases) => bases.length > 0, "names no directory."),
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
  /** Where Prometheus asks; null: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly logLevel: string;
}

/** Throws as `readEnvironment` does. */
export function readRestoreConfig(env: NodeJS.ProcessEnv = process.env): RestoreConfig {
  const values = readEnvironment(environment, env);
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
    metrics:
      values.RESTORE_METRICS_PORT === undefined
        ? null
        : { host: values.METRICS_HOST, port: values.RESTORE_METRICS_PORT },
    logLevel: values.LOG_LEVEL,
  };
}
