// Opens the database for what customers ask for: behind row-level security, through which each sees what is theirs alone
// (migrations/20261122010100_wall).
import { AsyncLocalStorage } from "node:async_hooks";
import { PrismaPg } from "@prisma/adapter-pg";
import { Pool, type PoolClient } from "pg";
import { PrismaClient } from "./client/client.ts";
import { type ConnectOptions, type Database, poolConfig } from "./connect.ts";
import { nameRepeated } from "./prepared.ts";

/** Who looks, and at what. */
export interface Sight {
  /** Null: no person, but a program or nobody. */
  readonly userId: string | null;
  readonly tenantIds: readonly string[];
  /** Null: all of the tenants' sources. */
  readonly sourceIds: readonly string[] | null;
}

export interface WalledDatabase {
  /** The database as far as this sight goes. Costs next to nothing, and is not to be closed. */
  seenBy(sight: Sight): Database;
  $disconnect(): Promise<void>;
}

/** The settings of the connection that a query is to run on, as one JSON text. */
const sights = new AsyncLocalStorage<string>();

/** The role may not read these columns, so they are never asked for. */
const hidden = {
  user: { passwordHash: true },
  apiKey: { tokenHash: true },
  invitation: { tokenHash: true },
  tenantKey: { sealedPrivateKey: true },
  credential: { ciphertext: true },
  restore: { tokenHash: true },
} as const;

/**
 * Relations to many rows of such a table. Where a query joins them, Prisma names all of its columns, hidden ones included,
 * even if it returns none of them: whoever asks for one of these gets a statement for each level instead of one join.
 */
const unjoinable = new Set(["apiKeys", "invitations", "keys", "credentials", "restores"]);

/** Connects on first use, with a pool of its own. The caller closes it with `$disconnect()`. */
export function connectWalledDatabase(url: string, options: ConnectOptions = {}): WalledDatabase {
  const { onConnectionLost, connectTimeoutMs = 5_000, statementTimeoutMs = 30_000 } = options;
  const pool = new WalledPool(poolConfig(url, options));
  pool.on("error", (error) => onConnectionLost?.(error));
  const client = new PrismaClient({
    adapter: new PrismaPg(pool, {
      statementNameGenerator: nameRepeated(),
      ...(onConnectionLost && { onConnectionError: onConnectionLost }),
    }),
    transactionOptions: { maxWait: connectTimeoutMs, timeout: statementTimeoutMs },
    omit: hidden,
  }) as unknown as Database;
  return {
    seenBy: (sight) => lookThrough(client, settingsOf(sight)),
    async $disconnect() {
      await client.$disconnect();
      await pool.end();
    },
  };
}

/** Hands out no connection before it knows who looks through it. */
class WalledPool extends Pool {
  readonly #seenBy = new WeakMap<PoolClient, string>();

  override connect(): Promise<PoolClient>;
  override connect(
    callback: (error: Error | undefined, client: PoolClient | undefined, done: (release?: unknown) => void) => void,
  ): void;
  override connect(
    callback?: (error: Error | undefined, client: PoolClient | undefined, done: (release?: unknown) => void) => void,
  ): Promise<PoolClient> | undefined {
    const settings = sights.getStore();
    const connected =
      settings === undefined
        ? Promise.reject(new Error("a query behind the wall says for whom it is"))
        : this.#connectFor(settings);
    if (!callback) return connected;
    connected.then(
      (client) => callback(undefined, client, (error) => client.release(error as Error | undefined)),
      (error: Error) => callback(error, undefined, () => undefined),
    );
    return undefined;
  }

  async #connectFor(settings: string): Promise<PoolClient> {
    const client = await super.connect();
    if (this.#seenBy.get(client) === settings) return client;
    try {
      const { tenants, user, sources } = JSON.parse(settings) as Record<string, string>;
      await client.query({
        name: "xvault_sight",
        text: "SELECT set_config('role', 'xvault_tenant', false), set_config('xvault.tenants', $1, false), set_config('xvault.user', $2, false), set_config('xvault.sources', $3, false)",
        values: [tenants, user, sources],
      });
    } catch (error) {
      // It may look through the eyes of whoever had it before: it is closed, not handed out.
      client.release(error as Error);
      throw error;
    }
    this.#seenBy.set(client, settings);
    return client;
  }
}

function settingsOf({ tenantIds, userId, sourceIds }: Sight): string {
  // An id that is none matches no row; an empty list of sources would mean all of them.
  const sources = sourceIds === null ? "" : sourceIds.join(",") || "none";
  return JSON.stringify({ tenants: tenantIds.join(","), user: userId ?? "", sources });
}

type Operation = (args?: Record<string, unknown>) => Promise<unknown>;

/** The client, each of whose queries says for whom it is. Prisma's promises begin only when they are waited for. */
function lookThrough(client: Database, settings: string): Database {
  const delegates = new Map<PropertyKey, object>();
  return new Proxy(client, {
    get(target, name) {
      const known = delegates.get(name);
      if (known) return known;
      const member = Reflect.get(target, name) as unknown;
      if (typeof member === "function")
        return (...args: unknown[]) => sights.run(settings, () => settled(member.apply(target, args)));
      if (typeof name !== "string" || name.startsWith("$") || typeof member !== "object" || member === null)
        return member;
      const delegate = walledDelegate(member as Record<string, Operation>, settings);
      delegates.set(name, delegate);
      return delegate;
    },
  });
}

function walledDelegate(delegate: Record<string, Operation>, settings: string): object {
  return new Proxy(delegate, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== "function") return member;
      return (given?: Record<string, unknown>) =>
        sights.run(settings, () => {
          const args = given && !isJoinable(given) ? { ...given, relationLoadStrategy: "query" } : given;
          // Prisma gathers these over all callers of a moment, and asks for them together: each is asked for by itself here.
          if (name === "findUnique") return settled(target.findFirst?.(withPlainKeys(args)));
          if (name === "findUniqueOrThrow") return settled(target.findFirstOrThrow?.(withPlainKeys(args)));
          return settled(member.call(target, args) as Promise<unknown>);
        });
    },
  });
}

function isJoinable({ include, select }: Record<string, unknown>): boolean {
  return Object.entries({ ...(include ?? {}), ...(select ?? {}) }).every(
    ([name, part]) => !part || (!unjoinable.has(name) && (typeof part !== "object" || isJoinable({ ...part }))),
  );
}

/** `{ tenantId_id: { tenantId, id } }`, which only unique readings understand, as `{ tenantId, id }`. */
function withPlainKeys(args: Record<string, unknown> = {}): Record<string, unknown> {
  const where = Object.entries((args.where ?? {}) as Record<string, unknown>).flatMap(([key, value]) =>
    key.includes("_") && typeof value === "object" && value !== null ? Object.entries(value) : [[key, value]],
  );
  return { ...args, where: Object.fromEntries(where) };
}

/** Begins it here and now. */
function settled<T>(promise: T): T | Promise<unknown> {
  return promise instanceof Promise || typeof (promise as { then?: unknown } | null)?.then === "function"
    ? (promise as unknown as Promise<unknown>).then((value) => value)
    : promise;
}
