// What arrives on an SSH channel, as an iterator that ends when it is told to: ssh2's own streams wait for the server's goodbye.
import type { ClientChannel } from "ssh2";

/** Bytes that wait for their reader before the channel is paused; ssh2 has a window of as much again. */
const mostQueued = 1024 * 1024;

export class ChannelOutput implements AsyncIterableIterator<Uint8Array> {
  readonly #channel: ClientChannel;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #end: Promise<unknown> | null = null;
  #change = Promise.withResolvers<void>();

  constructor(channel: ClientChannel) {
    this.#channel = channel;
    channel.on("data", (chunk: Buffer) => this.#add(chunk));
  }

  /** Whether something waits for its reader. */
  get isWaiting(): boolean {
    return this.#queue.length > 0;
  }

  /** Nothing comes any more: what waits is still read, and then `end` is awaited. */
  endWith(end: Promise<unknown>): void {
    this.#end ??= end;
    this.#change.resolve();
  }

  /** Nothing is read any more: whatever waits is dropped, and the reader gets what `end` rejects with. */
  breakWith(end: Promise<unknown>): void {
    this.#drop();
    this.endWith(end);
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (this.#queue.length === 0) {
      if (this.#end !== null) {
        await this.#end;
        return { done: true, value: undefined };
      }
      this.#change = Promise.withResolvers();
      await this.#change.promise;
    }
    const value = this.#queue.shift() as Uint8Array;
    this.#queuedBytes -= value.length;
    if (this.#queuedBytes < mostQueued / 2 && this.#channel.isPaused()) this.#channel.resume();
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.breakWith(Promise.resolve());
    this.#channel.destroy();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #add(chunk: Uint8Array): void {
    if (this.#end !== null) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes > mostQueued) this.#channel.pause();
    this.#change.resolve();
  }

  #drop(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    // Else the channel could wait for a reader before it says that it is closed.
    if (this.#channel.isPaused()) this.#channel.resume();
  }
}
