// Bee-Queue with its traps closed: scripts lost with Redis, events it would publish for nobody, errors nobody listens to.
import BeeQueue from "bee-queue";
import { buildCache } from "bee-queue/lib/lua/index.js";
import type { Redis } from "./redis.ts";

export interface QueueOptions {
  readonly name: string;
  /** Consumes; opens a blocking connection of its own as a duplicate of `client`. */
  readonly isWorker: boolean;
  readonly onError: (error: Error) => void;
}

/**
 * A queue on a shared connection, which it neither makes nor closes. Await `ready()` before use: it rejects when Redis goes away
 * meanwhile, and such a queue is dead.
 */
export function openQueue(client: Redis, { name, isWorker, onError }: QueueOptions): BeeQueue<unknown> {
  const queue = new BeeQueue<unknown>(name, {
    redis: client,
    isWorker,
    // Its listener for events parses whatever comes, unguarded.
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    // Hearing a ring takes milliseconds.
    stallInterval: 2_000,
    removeOnSuccess: true,
    removeOnFailure: true,
  });
  queue.on("error", onError);
  queue.ready().catch(() => undefined);
  return queue;
}

/** Bee-Queue loads its scripts once for good; Redis forgets them with every restart and SCRIPT FLUSH. */
export async function withScripts<T>(client: Redis, command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    if (!isScriptLost(error)) throw error;
    await buildCache(client);
    return await command();
  }
}

function isScriptLost(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}
