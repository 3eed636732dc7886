// The ground that the one-command mode stands on: a Postgres and a Redis of its own, or those it was told to use.
import type { Home } from "./home.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { type ServiceAccount, serviceAccount, serviceFolder } from "./service-account.ts";

export interface GroundOptions {
  /** Use this Postgres and start none. */
  readonly databaseUrl?: string;
  /** Use this Redis and start none. */
  readonly redisUrl?: string;
  /** Everything the servers write, line by line. */
  readonly onLine?: (service: "postgres" | "redis", line: string) => void;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
}

/** Disposing stops what was started here. Close pools and clients before. */
export interface Ground extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

/**
 * Starts what `options` does not name. The database is there and empty after the first start: migrating it is the hub's.
 * @throws Error whose message tells an operator what keeps a server from starting.
 */
export async function startGround(home: Home, options: GroundOptions = {}): Promise<Ground> {
  const { databaseUrl, redisUrl } = options;
  const account = databaseUrl && redisUrl ? null : await serviceAccount();
  await using started = new AsyncDisposableStack();
  const [database, redis] = await Promise.allSettled([
    databaseUrl ? { url: databaseUrl } : ownPostgres(home, account, options).then((server) => started.use(server)),
    redisUrl ? { url: redisUrl } : ownRedis(home, account, options).then((server) => started.use(server)),
  ]);
  if (database.status === "rejected") throw database.reason;
  if (redis.status === "rejected") throw redis.reason;
  const running = started.move();
  return {
    databaseUrl: database.value.url,
    redisUrl: redis.value.url,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function ownPostgres(home: Home, account: ServiceAccount | null, { onLine, signal }: GroundOptions) {
  return startPostgres({
    folder: await serviceFolder(home.directory, "postgres", account),
    account,
    password: await home.secret("postgres-password"),
    onLine: (line) => onLine?.("postgres", line),
    ...(signal && { signal }),
  });
}

async function ownRedis(home: Home, account: ServiceAccount | null, { onLine, signal }: GroundOptions) {
  return startRedis({
    folder: await serviceFolder(home.directory, "redis", account),
    account,
    password: await home.secret("redis-password"),
    onLine: (line) => onLine?.("redis", line),
    ...(signal && { signal }),
  });
}
