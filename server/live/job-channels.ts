// The live feed's side of Redis: one connection that listens for watched jobs, one that tells other hubs. Knows no database.
import {
  formatJobMessage,
  type JobProgress,
  jobChannel,
  jobOfChannel,
  parseJobMessage,
} from "../../clients/hub/progress-channel.ts";
import { prompt, Redis, type RedisAccess } from "../../clients/hub/redis.ts";

export interface JobChannelsOptions extends RedisAccess {
  /** The jobs to listen for, asked at every connection. */
  readonly watchedJobs: () => Iterable<string>;
  readonly onProgress: (jobId: string, progress: JobProgress) => void;
  readonly onChanged: (jobId: string) => void;
  /** Redis came, or came back: whatever was said meanwhile is lost. */
  readonly onConnected: () => void;
}

const channelsAtOnce = 500;

export class JobChannels implements AsyncDisposable {
  readonly #options: JobChannelsOptions;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  /** Messages that were junk, too long, or of another version. */
  dropped = 0;

  constructor(options: JobChannelsOptions) {
    this.#options = options;
    this.#publisher = new Redis(options, prompt);
    this.#subscriber = new Redis(options, prompt);
    this.#subscriber.on("message", (channel, text) => this.#receive(jobOfChannel(channel), text));
    this.#subscriber.on("ready", () => void this.#joinAll());
  }

  get ready(): boolean {
    return this.#subscriber.status === "ready" && this.#publisher.status === "ready";
  }

  /** Calls `onChanged` once it listens, for what was said before. While Redis is away, its return does this for all. */
  join(jobId: string): void {
    if (this.#subscriber.status !== "ready") return;
    const read = () => this.#options.onChanged(jobId);
    this.#subscriber.subscribe(jobChannel(jobId)).then(read, read);
  }

  leave(jobId: string): void {
    if (this.#subscriber.status !== "ready") return;
    this.#subscriber.unsubscribe(jobChannel(jobId)).catch(() => undefined);
  }

  announce(jobId: string): void {
    if (this.#publisher.status !== "ready") return;
    this.#publisher.publish(jobChannel(jobId), formatJobMessage({ v: 1, kind: "changed" })).catch(() => undefined);
  }

  /** Finds out a connection that died in silence: without an answer it is dropped and dialled again. */
  probe(): void {
    if (this.#subscriber.status === "ready") this.#subscriber.ping().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#publisher[Symbol.asyncDispose](), this.#subscriber[Symbol.asyncDispose]()]);
  }

  async #joinAll(): Promise<void> {
    const channels = [...this.#options.watchedJobs()].map(jobChannel);
    const subscribing: Promise<unknown>[] = [];
    // All of them now: a job that is left meanwhile is then left after it was joined.
    for (let from = 0; from < channels.length; from += channelsAtOnce) {
      subscribing.push(this.#subscriber.subscribe(...channels.slice(from, from + channelsAtOnce)));
    }
    await Promise.allSettled(subscribing);
    this.#options.onConnected();
  }

  #receive(jobId: string, text: string): void {
    const message = parseJobMessage(text);
    if (message?.kind === "progress") this.#options.onProgress(jobId, message.progress);
    else if (message?.kind === "changed") this.#options.onChanged(jobId);
    else this.dropped++;
  }
}
