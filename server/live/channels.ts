// The live feeds' side of Redis: one connection that listens to what is watched, one that tells other hubs. Knows no database.
import { prompt, Redis, type RedisAccess } from "../../clients/hub/redis.ts";

export interface ChannelsOptions extends RedisAccess {
  /** The channels to listen to, asked at every connection. */
  readonly watched: () => Iterable<string>;
  /** False for a message that is junk, too long, or of another version: it is counted. */
  readonly onMessage: (channel: string, text: string) => boolean;
  /** It listens to this channel from now on: what was said before was not heard. */
  readonly onJoined: (channel: string) => void;
  /** Redis came, or came back: whatever was said meanwhile is lost. */
  readonly onConnected: () => void;
}

const channelsAtOnce = 500;

export class Channels implements AsyncDisposable {
  readonly #options: ChannelsOptions;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  /** Messages that were junk. */
  dropped = 0;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#publisher = new Redis(options, prompt);
    this.#subscriber = new Redis(options, prompt);
    this.#subscriber.on("message", (channel, text) => {
      if (!options.onMessage(channel, text)) this.dropped++;
    });
    this.#subscriber.on("ready", () => void this.#joinAll());
  }

  get ready(): boolean {
    return this.awaySince === null;
  }

  /** Since when one of the two cannot be used; null while both can. */
  get awaySince(): Date | null {
    return this.#subscriber.awaySince ?? this.#publisher.awaySince;
  }

  /** Calls `onJoined` once it listens. While Redis is away, its return does this for all. */
  join(channel: string): void {
    if (this.#subscriber.status !== "ready") return;
    const joined = () => this.#options.onJoined(channel);
    this.#subscriber.subscribe(channel).then(joined, joined);
  }

  leave(channel: string): void {
    if (this.#subscriber.status !== "ready") return;
    this.#subscriber.unsubscribe(channel).catch(() => undefined);
  }

  announce(channel: string, text: string): void {
    if (this.#publisher.status !== "ready") return;
    this.#publisher.publish(channel, text).catch(() => undefined);
  }

  /** Finds out a connection that died in silence: without an answer it is dropped and dialled again. */
  probe(): void {
    if (this.#subscriber.status === "ready") this.#subscriber.ping().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#publisher[Symbol.asyncDispose](), this.#subscriber[Symbol.asyncDispose]()]);
  }

  async #joinAll(): Promise<void> {
    const channels = [...this.#options.watched()];
    const subscribing: Promise<unknown>[] = [];
    // All of them now: a channel that is left meanwhile is then left after it was joined.
    for (let from = 0; from < channels.length; from += channelsAtOnce) {
      subscribing.push(this.#subscriber.subscribe(...channels.slice(from, from + channelsAtOnce)));
    }
    await Promise.allSettled(subscribing);
    this.#options.onConnected();
  }
}
