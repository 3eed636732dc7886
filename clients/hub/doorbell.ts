// The worker's side of the doorbell. A ring carries a job id and no duty: whoever hears it asks the hub for work, and whoever
// misses it finds the same by polling.
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import { openQueue } from "./bee-queue.ts";
import { isRefusal, patient, Redis, type RedisAccess, redisReason } from "./redis.ts";

/** The queue of one worker, or with null the one that all backup workers share. */
export function doorbellQueue(workerId: string | null): string {
  return workerId === null ? "xvault" : `xvault-${workerId}`;
}

const ringSchema = z.object({ jobId: z.string().regex(/^[\w-]{1,64}$/) });
export type Ring = z.infer<typeof ringSchema>;

/** Taking a ring off the queue costs a few round trips to Redis; the next need not wait for them. */
const ringsAtOnce = 8;

export interface DoorbellOptions extends RedisAccess {
  readonly workerId: string;
  /** Each ring of the shared queue is heard by one listener: nobody listens who could not do what it is about. */
  readonly hearsShared: boolean;
  /** Called for every ring, also for those whose job somebody else has taken. */
  readonly onRing: (jobId: string) => void;
}

/** Listens until disposed of (three seconds at most). Returns before Redis is reached and never fails for want of it. */
export async function listenForDoorbell({
  redisUrl,
  workerId,
  hearsShared,
  onRing,
  log,
}: DoorbellOptions): Promise<AsyncDisposable> {
  const client = new Redis({ redisUrl, log }, patient);
  const stop = new AbortController();
  const queues = [...(hearsShared ? [doorbellQueue(null)] : []), doorbellQueue(workerId)];
  const consumers = queues.map(async (queueName) => {
    while (!stop.signal.aborted) {
      await consume(client, { queueName, onRing, log, signal: stop.signal });
      await pause(250, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(consumers);
      await client[Symbol.asyncDispose]();
    },
  };
}

interface Consumer {
  readonly queueName: string;
  readonly onRing: (jobId: string) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Takes rings off one queue until it is told to stop or the queue breaks down; the caller opens it again. */
async function consume(client: Redis, { queueName, onRing, log, signal }: Consumer): Promise<void> {
  // A queue opened while Redis is away would be dead for good.
  if (client.status !== "ready") return;
  const over = Promise.withResolvers<void>();
  const stop = () => over.resolve();
  signal.addEventListener("abort", stop, { once: true });
  const onError = (error: Error) => {
    log.debug({ queueName, reason: redisReason(error) }, "doorbell stumbled");
    // A consumer whose first command is refused never begins to listen. Lost connections, on the other hand, mend themselves:
    // closing then would lose the ring just being taken.
    if (isRefusal(error)) stop();
  };
  const queue = openQueue(client, { name: queueName, isWorker: true, onError });
  try {
    await Promise.race([queue.ready(), over.promise]);
    if (signal.aborted) return;
    queue.process(ringsAtOnce, async ({ data }) => {
      const ring = ringSchema.safeParse(data);
      if (ring.success) onRing(ring.data.jobId);
    });
    await over.promise;
  } catch (error) {
    log.debug({ queueName, reason: redisReason(error) }, "doorbell could not be opened");
  } finally {
    signal.removeEventListener("abort", stop);
    await queue.close(1_000).catch(() => undefined);
  }
}
