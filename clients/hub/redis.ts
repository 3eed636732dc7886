// Makes every Redis connection of xVault: one that outlives any outage, throws at nobody, and tells the log no secret.
import { setTimeout as pause } from "node:timers/promises";
import { Redis as IoRedis, type RedisOptions } from "ioredis";
import type { Logger } from "pino";

export interface RedisAccess {
  /** `redis://` or, for TLS, `rediss://`. */
  readonly redisUrl: string;
  readonly log: Logger;
}

type ConnectionOptions = Omit<RedisOptions, "replyMapping">;

/**
 * For commands that are worth nothing later: they fail at once while Redis is away and within two seconds when it hangs, and
 * nothing is sent again after an outage, subscriptions included: their owner does that at every `ready`.
 */
export const prompt: ConnectionOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  commandTimeout: 2_000,
  // A connection that died in silence is dropped after this long without an answer, instead of after TCP's quarter of an hour.
  socketTimeout: 5_000,
};

/** For commands that wait for Redis as long as it takes, such as a blocking pop. */
export const patient: ConnectionOptions = { maxRetriesPerRequest: null };

const always: ConnectionOptions = {
  connectTimeout: 5_000,
  keepAlive: 10_000,
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 8), 2_000) + Math.random() * 200,
  // After a failover the old primary answers READONLY until the address is looked up again.
  reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
};

/**
 * A connection that is dialled in the background, and again after every loss, until it is disposed of (a second at most). The
 * class must bear this very name: Bee-Queue looks at it to tell a client from a bag of options.
 */
export class Redis extends IoRedis implements AsyncDisposable {
  readonly #access: RedisAccess;
  readonly #settings: ConnectionOptions;
  readonly #duplicates = new Set<Redis>();
  #away = false;
  #open = false;
  #closedAt = new Date();

  constructor(access: RedisAccess, settings: ConnectionOptions) {
    super(access.redisUrl, { ...always, ...settings });
    this.#access = access;
    this.#settings = settings;
    this.setMaxListeners(0);
    this.on("error", (error) => this.#lost(error));
    this.on("ready", () => this.#found());
    this.on("close", () => {
      if (this.#open) this.#closedAt = new Date();
      this.#open = false;
    });
  }

  /** Since when it cannot be used, by this machine's clock; null while it can. */
  get awaySince(): Date | null {
    return this.status === "ready" ? null : this.#closedAt;
  }

  /** Another connection of the same kind, disposed of together with this one. */
  override readonly duplicate = (() => {
    const duplicate = new Redis(this.#access, this.#settings);
    this.#duplicates.add(duplicate);
    return duplicate.once("end", () => this.#duplicates.delete(duplicate));
  }) as IoRedis["duplicate"];

  async [Symbol.asyncDispose](): Promise<void> {
    const sent = this.status === "ready" ? this.quit().catch(() => undefined) : undefined;
    await Promise.race([sent, pause(1_000, undefined, { ref: false })]);
    for (const client of [this, ...this.#duplicates]) client.disconnect();
  }

  #lost(error: Error): void {
    if (this.#away) return;
    this.#away = true;
    this.#access.log.warn({ reason: redisReason(error) }, "redis is away");
  }

  #found(): void {
    this.#open = true;
    if (!this.#away) return;
    this.#away = false;
    this.#access.log.info("redis is back");
  }
}

/** What may be said of a Redis error: never its `command`, which can hold the password, nor arguments that a server quotes back. */
export function redisReason(error: unknown): string {
  return error instanceof Error ? (error.message.split(", with args")[0] ?? "") : "unknown";
}

/** Whether Redis answered, and refused; anything else is its absence. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}
