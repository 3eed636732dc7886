// Reads the settings of a worker from the environment, once, and says in one sentence each what is wrong with them.
import * as z from "zod";
import { dataPlaneEnvironment, readEnvironment } from "../clients/hub/environment.ts";
import { type Network, parseNetwork } from "./network-policy.ts";

const mebibyte = 1_048_576;

export const defaultStorageBase = "/var/lib/xvault/backups";

const environment = z.object({
  ...dataPlaneEnvironment,
  WORKER_STORAGE_BASE: z.string().default(defaultStorageBase),
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(2),
  WORKER_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  WORKER_DISK_RESERVE_MB: z.coerce.number().int().min(0).default(4),
  WORKER_ACCEPT_EMPTY_STORE: z.stringbool("WORKER_ACCEPT_EMPTY_STORE is either true or false.").default(false),
  SOURCE_ALLOWED_NETWORKS: z.string().default("").transform(parseNetworks),
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
  /** Starts with an empty store although the hub knows snapshots in it: they are lost. */
  readonly acceptEmptyStore: boolean;
  /** Networks that are not public and may be backed up all the same. */
  readonly allowedNetworks: readonly Network[];
  /** Where Prometheus asks; null: nowhere, and this process listens to nobody. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly logLevel: string;
}

/** Throws as `readEnvironment` does. */
export function readWorkerConfig(env: NodeJS.ProcessEnv = process.env): WorkerConfig {
  const values = readEnvironment(environment, env);
  return {
    workerId: values.WORKER_ID,
    token: values.WORKER_TOKEN,
    hubBaseUrl: values.HUB_BASE_URL,
    redisUrl: values.REDIS_URL,
    storageBase: values.WORKER_STORAGE_BASE,
    tempBase: values.WORKER_TEMP_BASE,
    concurrency: values.WORKER_CONCURRENCY,
    reserveBytes: values.WORKER_DISK_RESERVE_MB * mebibyte,
    acceptEmptyStore: values.WORKER_ACCEPT_EMPTY_STORE,
    allowedNetworks: values.SOURCE_ALLOWED_NETWORKS,
    metrics:
      values.WORKER_METRICS_PORT === undefined ? null : { host: values.METRICS_HOST, port: values.WORKER_METRICS_PORT },
    logLevel: values.LOG_LEVEL,
  };
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
