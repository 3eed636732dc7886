// The hub's hand on the doorbell: puts rings into Bee-Queue and never waits for Redis longer than its commands do.
import type BeeQueue from "bee-queue";
import { openQueue, withScripts } from "../../clients/hub/bee-queue.ts";
import { doorbellQueue, type Ring } from "../../clients/hub/doorbell.ts";
import { isRefusal, prompt, Redis, type RedisAccess, redisReason } from "../../clients/hub/redis.ts";

export interface RingerOptions extends RedisAccess {
  /** Redis came, or came back. */
  readonly onReady: () => void;
}

/** All queues share one connection and are opened when they are first rung. */
export class Ringer implements AsyncDisposable {
  readonly #client: Redis;
  readonly #log: RingerOptions["log"];
  readonly #queues = new Map<string, Promise<BeeQueue<unknown>>>();

  constructor({ redisUrl, log, onReady }: RingerOptions) {
    this.#log = log;
    this.#client = new Redis({ redisUrl, log }, prompt);
    this.#client.on("ready", onReady);
  }

  get ready(): boolean {
    return this.#client.status === "ready";
  }

  /**
   * Rings once per `ringId`, however often it is called. False where Redis is away or hangs. A ring that Redis refuses (out of
   * memory, a foreign value under the queue's key) counts as rung: it must not hold up the others, and is rung again in time.
   */
  async ring(workerId: string | null, ringId: string, ring: Ring): Promise<boolean> {
    return this.#attempt(ringId, async () => {
      const queue = await this.#open(workerId);
      await withScripts(this.#client, () => queue.createJob(ring).setId(ringId).save());
    });
  }

  /** As `ring`, but not where a ring still lies unheard: then nobody listens, and one more is no help. */
  async ringAgain(workerId: string | null, ringId: string, ring: Ring): Promise<boolean> {
    return this.#attempt(ringId, async () => {
      const queue = await this.#open(workerId);
      if ((await this.#client.llen(`${queue.settings.keyPrefix}waiting`)) > 0) return;
      await withScripts(this.#client, () => queue.createJob(ring).setId(ringId).save());
    });
  }

  /**
   * Hands rings that a listener took to its grave to another one, and takes them off: rings that nobody can read would otherwise
   * go round for ever, and whatever is still due is rung again from Postgres.
   */
  async clearStalled(): Promise<void> {
    for (const opened of this.#queues.values()) {
      const queue = await opened;
      await withScripts(this.#client, () => queue.checkStalledJobs()).catch((error) => {
        this.#log.debug({ queueName: queue.name, reason: redisReason(error) }, "could not look for stalled rings");
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#queues.values()) {
      const queue = await opened.catch(() => null);
      await queue?.close(500).catch(() => undefined);
    }
    await this.#client[Symbol.asyncDispose]();
  }

  async #attempt(ringId: string, attempt: () => Promise<void>): Promise<boolean> {
    try {
      await attempt();
      return true;
    } catch (error) {
      if (!isRefusal(error)) return false;
      this.#log.warn({ ringId, reason: redisReason(error) }, "redis refused a ring");
      return true;
    }
  }

  #open(workerId: string | null): Promise<BeeQueue<unknown>> {
    const name = doorbellQueue(workerId);
    let opened = this.#queues.get(name);
    if (!opened) {
      opened = this.#make(name);
      this.#queues.set(name, opened);
      opened.catch(() => this.#queues.delete(name));
    }
    return opened;
  }

  async #make(name: string): Promise<BeeQueue<unknown>> {
    if (!this.ready) throw new Error("redis is away");
    const queue = openQueue(this.#client, { name, isWorker: false, onError: () => {} });
    queue.on("stalled", (ringId) => {
      withScripts(this.#client, () => queue.removeJob(ringId)).catch(() => undefined);
    });
    return queue.ready();
  }
}
