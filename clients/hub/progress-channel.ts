// What is said about a job on Redis: progress by the data plane, "changed" by the hubs. All of it may be lost; Postgres has the truth.
import { z } from "zod";
import { prompt, Redis, type RedisAccess } from "./redis.ts";

/** Messages beyond this many bytes are dropped unread. */
const maxMessageBytes = 4_096;
/** Keeps a message below the limit even where every character takes six bytes. */
const maxPathLength = 512;
const progressIntervalMs = 250;

const count = z.int().nonnegative();
export const jobProgressSchema = z.object({
  leaseEpoch: count,
  phase: z.string().min(1).max(32),
  filesDone: count,
  filesTotal: count.nullable(),
  bytesDone: count,
  bytesTotal: count.nullable(),
  /** Bytes after compression and encryption. */
  storedBytes: count,
  /** The end of the path that is being read; the beginning is cut off where it is long. */
  currentPath: z.string().max(maxPathLength).exactOptional(),
});
export type JobProgress = z.infer<typeof jobProgressSchema>;

const jobMessageSchema = z.discriminatedUnion("kind", [
  z.object({ v: z.literal(1), kind: z.literal("progress"), progress: jobProgressSchema }),
  z.object({ v: z.literal(1), kind: z.literal("changed") }),
]);
export type JobMessage = z.infer<typeof jobMessageSchema>;

const channelPrefix = "xvault:job:";

export function jobChannel(jobId: string): string {
  return channelPrefix + jobId;
}

/** The reverse of `jobChannel`. */
export function jobOfChannel(channel: string): string {
  return channel.slice(channelPrefix.length);
}

/** Null for junk, for what is too long, and for versions not spoken here. */
export function parseJobMessage(text: string): JobMessage | null {
  if (text.length > maxMessageBytes || Buffer.byteLength(text) > maxMessageBytes) return null;
  try {
    return jobMessageSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export function formatJobMessage(message: JobMessage): string {
  return JSON.stringify(message);
}

export interface ProgressChannel extends AsyncDisposable {
  /**
   * Fire and forget, four times a second and job at most: the latest wins, and the last one is always sent. What falls into an
   * outage of Redis is gone.
   */
  publish(jobId: string, progress: JobProgress): void;
}

/** Connects in the background. Disposing sends what waits and takes a second at most. */
export function connectProgress(access: RedisAccess): ProgressChannel {
  const client = new Redis(access, prompt);
  const paced = new Map<string, { waiting: JobProgress | null; timer: NodeJS.Timeout }>();

  function send(jobId: string, progress: JobProgress): void {
    if (client.status !== "ready") return;
    const currentPath = progress.currentPath?.slice(-maxPathLength);
    const message = formatJobMessage({
      v: 1,
      kind: "progress",
      progress: currentPath === undefined ? progress : { ...progress, currentPath },
    });
    client.publish(jobChannel(jobId), message).catch(() => undefined);
  }

  function due(jobId: string): void {
    const pace = paced.get(jobId);
    if (!pace?.waiting) {
      paced.delete(jobId);
      return;
    }
    send(jobId, pace.waiting);
    pace.waiting = null;
    pace.timer.refresh();
  }

  return {
    publish(jobId, progress) {
      const pace = paced.get(jobId);
      if (pace) {
        pace.waiting = progress;
        return;
      }
      send(jobId, progress);
      paced.set(jobId, { waiting: null, timer: setTimeout(due, progressIntervalMs, jobId) });
    },
    async [Symbol.asyncDispose]() {
      for (const [jobId, { waiting, timer }] of paced) {
        clearTimeout(timer);
        if (waiting) send(jobId, waiting);
      }
      paced.clear();
      await client[Symbol.asyncDispose]();
    },
  };
}
