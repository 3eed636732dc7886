// Reads a source no faster than its customer wants.
import { setTimeout as pause } from "node:timers/promises";
import type { Entry } from "#artifact/node";

/** Saved up while nothing is read: what comes after a pause may come that much faster. */
const burstSeconds = 0.1;

/** Takes bytes as they come and lets them pass at a rate: a token bucket that may go into debt for one piece. */
export class RateLimit {
  readonly #bytesPerSecond: number;
  readonly #signal: AbortSignal;
  #saved = 0;
  #countedAtMs = performance.now();

  /** `signal` ends every wait. */
  constructor(bytesPerSecond: number, signal: AbortSignal) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#signal = signal;
  }

  /** Resolves when these bytes may pass; throws the reason of the signal. Calls come one after another. */
  async take(bytes: number): Promise<void> {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#countedAtMs) / 1000) * this.#bytesPerSecond;
    this.#saved = Math.min(this.#saved + earned, this.#bytesPerSecond * burstSeconds) - bytes;
    this.#countedAtMs = nowMs;
    if (this.#saved >= 0) return;
    await pause((-this.#saved / this.#bytesPerSecond) * 1000, undefined, { signal: this.#signal }).catch(() =>
      this.#signal.throwIfAborted(),
    );
  }
}

/** The same entries, whose contents come no faster than the limit. The source runs ahead by no more than it always does. */
export async function* limited(entries: AsyncIterable<Entry>, limit: RateLimit): AsyncGenerator<Entry> {
  for await (const entry of entries) {
    if (entry.bytes) await limit.take(entry.bytes.length);
    yield entry.content ? { ...entry, content: limitedContent(entry.content, limit) } : entry;
  }
}

async function* limitedContent(content: AsyncIterable<Uint8Array>, limit: RateLimit): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    await limit.take(piece.length);
    yield piece;
  }
}
