// The live feed of jobs: everything that happens to a job, in order and exactly once, for any number of subscribers. Postgres is
// what it tells; Redis only makes it quick.
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { formatJobMessage, jobChannel, jobOfChannel, parseJobMessage } from "../../clients/hub/progress-channel.ts";
import type { Database } from "../../prisma/connect.ts";
import { Channels } from "./channels.ts";
import { findMoved, readEvents, readJobs } from "./job-reader.ts";
import { type JobUpdate, Subscription, type SubscriptionOptions } from "./subscription.ts";
import { WatchedJob, type Watcher } from "./watched-job.ts";

export interface JobFeedOptions {
  readonly db: Database;
  readonly redisUrl: string;
  readonly log: Logger;
  /** How often Postgres is asked which watched jobs moved, whatever Redis says [5,000]. */
  readonly resyncIntervalMs?: number;
}

export interface JobFeedStats {
  readonly watchedJobs: number;
  readonly watchers: number;
  /** Messages on channels that were junk. */
  readonly dropped: number;
  readonly redisReady: boolean;
}

const jobsAtOnce = 200;
/** Changes that come faster than they are read are read together: after each reading it rests for half as long, and at most this. */
const mostRestMs = 10;
const readAgainMs = 1_000;
const changedMessage = formatJobMessage({ v: 1, kind: "changed" });

export function startJobFeed(options: JobFeedOptions): JobFeed {
  return new JobFeed(options);
}

export class JobFeed implements AsyncDisposable {
  readonly #db: Database;
  readonly #log: Logger;
  readonly #channels: Channels;
  readonly #watched = new Map<string, WatchedJob>();
  /** Jobs to be read again. One reader serves them all, so that a busy feed costs one connection. */
  readonly #dirty = new Set<string>();
  #reading = false;
  #failing = false;
  #reader: Promise<void> | undefined;
  #resync: Promise<void> | null = null;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = new AbortController();

  constructor({ db, redisUrl, log, resyncIntervalMs = 5_000 }: JobFeedOptions) {
    this.#db = db;
    this.#log = log;
    this.#channels = new Channels({
      redisUrl,
      log,
      watched: () => this.#watched.keys().map(jobChannel),
      onMessage: (channel, text) => this.#hear(jobOfChannel(channel), text),
      onJoined: (channel) => this.#read(jobOfChannel(channel)),
      onConnected: () => {
        for (const jobId of this.#watched.keys()) this.#read(jobId);
      },
    });
    this.#timer = setInterval(() => {
      this.#channels.probe();
      this.#resync ??= this.#readMoved().finally(() => {
        this.#resync = null;
      });
    }, resyncIntervalMs);
  }

  /** Tells everybody, here and at the other hubs, that a job or its log changed. To be called after the commit. */
  changed(jobId: string): void {
    this.#read(jobId);
    this.#channels.announce(jobChannel(jobId), changedMessage);
  }

  /**
   * First the present state, or with `after` every event since, and then everything as it happens: each event once and in order,
   * progress four times a second at most. Ends by itself after the final state. Whoever may see the job is for the caller to say.
   */
  watch(jobId: string, options: SubscriptionOptions): AsyncIterableIterator<JobUpdate, undefined> {
    return new Subscription(
      {
        enter: (watcher) => this.#enter(jobId, watcher),
        leave: (watcher) => this.#leave(jobId, watcher),
        read: () => this.#read(jobId),
        readEvents: (after, upTo) => readEvents(this.#db, jobId, after, upTo),
      },
      options,
    );
  }

  /** Null while Redis is there. */
  get redisAwaySince(): Date | null {
    return this.#channels.awaySince;
  }

  stats(): JobFeedStats {
    return {
      watchedJobs: this.#watched.size,
      watchers: this.#watched.values().reduce((sum, { watchers }) => sum + watchers.size, 0),
      dropped: this.#channels.dropped,
      redisReady: this.#channels.ready,
    };
  }

  /** Ends every subscription. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#timer);
    for (const { watchers } of [...this.#watched.values()]) for (const watcher of [...watchers]) watcher.end();
    await Promise.all([this.#reader, this.#resync, this.#channels[Symbol.asyncDispose]()]);
  }

  #enter(jobId: string, watcher: Watcher): WatchedJob {
    let watched = this.#watched.get(jobId);
    if (!watched) {
      watched = new WatchedJob();
      this.#watched.set(jobId, watched);
      this.#channels.join(jobChannel(jobId));
    }
    watched.watchers.add(watcher);
    return watched;
  }

  #leave(jobId: string, watcher: Watcher): void {
    const watched = this.#watched.get(jobId);
    if (!watched?.watchers.delete(watcher) || watched.watchers.size > 0) return;
    this.#watched.delete(jobId);
    this.#dirty.delete(jobId);
    this.#channels.leave(jobChannel(jobId));
  }

  #hear(jobId: string, text: string): boolean {
    const message = parseJobMessage(text);
    if (message?.kind === "changed") this.#read(jobId);
    else if (message && this.#watched.get(jobId)?.receive(message.progress)) this.#read(jobId);
    return message !== null;
  }

  #read(jobId: string): void {
    if (!this.#watched.has(jobId) || this.#stop.signal.aborted) return;
    this.#dirty.add(jobId);
    if (this.#reading) return;
    this.#reading = true;
    this.#reader = this.#readDirty();
  }

  async #readDirty(): Promise<void> {
    while (this.#dirty.size > 0 && !this.#stop.signal.aborted) {
      const ids = this.#dirty.values().take(jobsAtOnce).toArray();
      const began = performance.now();
      const isRead = await this.#readJobs(ids);
      await pause(isRead ? Math.min((performance.now() - began) / 2, mostRestMs) : readAgainMs, undefined, {
        signal: this.#stop.signal,
      }).catch(() => undefined);
    }
    this.#reading = false;
  }

  /** False where Postgres did not answer; the jobs are then still to be read. */
  async #readJobs(ids: readonly string[]): Promise<boolean> {
    const batch = ids.flatMap((jobId) => {
      this.#dirty.delete(jobId);
      const watched = this.#watched.get(jobId);
      return watched ? [{ jobId, watched, cursor: watched.beginReading() }] : [];
    });
    try {
      const readings = await readJobs(this.#db, new Map(batch.map(({ jobId, cursor }) => [jobId, cursor])));
      for (const { jobId, watched } of batch) watched.apply(readings.get(jobId));
      this.#failing = false;
      return true;
    } catch (error) {
      this.#failed(error);
      for (const jobId of ids) if (this.#watched.has(jobId)) this.#dirty.add(jobId);
      return false;
    }
  }

  /** The safety net under Redis. */
  async #readMoved(): Promise<void> {
    const cursors = new Map<string, number>();
    for (const [jobId, { job }] of this.#watched) if (job) cursors.set(jobId, job.eventSeq);
    try {
      if (cursors.size > 0) for (const jobId of await findMoved(this.#db, cursors)) this.#read(jobId);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Told once; it is tried again until it works. */
  #failed(error: unknown): void {
    if (!this.#failing) this.#log.warn({ err: error }, "live feed cannot read from postgres");
    this.#failing = true;
  }
}
