// Everything that can be watched, put together: single jobs, and all jobs, snapshots and workers. What hubs tell each other passes here.
import type { Logger } from "pino";
import type { Announcements } from "../../domain/events.ts";
import type { Job, Snapshot, Worker } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";
import { ChangeFeed } from "./change-feed.ts";
import { Channels } from "./channels.ts";
import { type JobFeed, startJobFeed } from "./job-feed.ts";
import {
  type ChangedNoun,
  formatChangeMessage,
  parseChangeMessage,
  tenantChannel,
  tenantOfChannel,
  workersChannel,
} from "./tenant-channel.ts";
import { type Scope, watchedJobs, watchedSnapshots, watchedWorkers } from "./watched-nouns.ts";

export interface LiveFeedsOptions {
  readonly db: Database;
  readonly redisUrl: string;
  readonly log: Logger;
  /** How often Postgres is asked what changed, whatever Redis says [5,000]. */
  readonly resyncIntervalMs?: number;
}

export interface LiveFeedsStats {
  /** Subscriptions to whole tenants, or to the workers. */
  readonly watchers: number;
  /** Messages on channels that were junk. */
  readonly dropped: number;
  readonly redisReady: boolean;
}

export function startLiveFeeds(options: LiveFeedsOptions): LiveFeeds {
  return new LiveFeeds(options);
}

export class LiveFeeds implements AsyncDisposable, Omit<Announcements, "jobDue"> {
  readonly job: JobFeed;
  readonly jobs: ChangeFeed<Job>;
  readonly snapshots: ChangeFeed<Snapshot>;
  readonly workers: ChangeFeed<Worker>;
  readonly #channels: Channels;
  /** How many feeds watch something that is told of on this channel. */
  readonly #watched = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: LiveFeedsOptions) {
    const { db, log, redisUrl, resyncIntervalMs = 5_000 } = options;
    const onWatched = (scope: Scope, isWatched: boolean) => this.#watch(channelOf(scope), isWatched);
    this.job = startJobFeed(options);
    this.jobs = new ChangeFeed({ db, log, onWatched, noun: watchedJobs });
    this.snapshots = new ChangeFeed({ db, log, onWatched, noun: watchedSnapshots });
    this.workers = new ChangeFeed({ db, log, onWatched, noun: watchedWorkers });
    this.#channels = new Channels({
      redisUrl,
      log,
      watched: () => this.#watched.keys(),
      onMessage: (channel, text) => this.#hear(channel, text),
      onJoined: (channel) => {
        for (const feed of this.#feeds) feed.read(tenantOfChannel(channel));
      },
      onConnected: () => this.#readAll(),
    });
    this.#timer = setInterval(() => {
      this.#channels.probe();
      this.#readAll();
    }, resyncIntervalMs);
  }

  jobChanged(jobId: string, tenantId: string): void {
    this.job.changed(jobId);
    this.#tell("jobs", tenantId);
  }

  snapshotsChanged(tenantId: string): void {
    this.#tell("snapshots", tenantId);
  }

  workersChanged(): void {
    this.#tell("workers", "");
  }

  /** Null while Redis is there. */
  get redisAwaySince(): Date | null {
    return this.#channels.awaySince ?? this.job.redisAwaySince;
  }

  stats(): LiveFeedsStats {
    return {
      watchers: this.#feeds.reduce((sum, { watchers }) => sum + watchers, 0),
      dropped: this.#channels.dropped,
      redisReady: this.redisAwaySince === null,
    };
  }

  /** Ends every subscription. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.job, ...this.#feeds, this.#channels].map((each) => each[Symbol.asyncDispose]()));
  }

  get #feeds() {
    return [this.jobs, this.snapshots, this.workers] as const;
  }

  #readAll(): void {
    for (const feed of this.#feeds) feed.readAll();
  }

  #tell(changed: ChangedNoun, scope: Scope): void {
    this[changed].read(scope);
    this.#channels.announce(channelOf(scope), formatChangeMessage(changed));
  }

  #hear(channel: string, text: string): boolean {
    const changed = parseChangeMessage(text);
    if (changed) this[changed].read(tenantOfChannel(channel));
    return changed !== null;
  }

  #watch(channel: string, isWatched: boolean): void {
    const count = (this.#watched.get(channel) ?? 0) + (isWatched ? 1 : -1);
    if (count > 0) this.#watched.set(channel, count);
    else this.#watched.delete(channel);
    if (isWatched && count === 1) this.#channels.join(channel);
    if (count === 0) this.#channels.leave(channel);
  }
}

function channelOf(scope: Scope): string {
  return scope === "" ? workersChannel : tenantChannel(scope);
}
