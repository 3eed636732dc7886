// One subscriber's way through a job: pulled, never pushed, so that a slow one holds a cursor and nobody up.
import type { JobProgress } from "../../clients/hub/progress-channel.ts";
import type { Job, JobEvent } from "../../prisma/client/client.ts";
import { isFinal, type WatchedJob, type Watcher } from "./watched-job.ts";

export type JobUpdate =
  /** The present state (`event` is null), or one event of the log. `job` is at least as new as the event. */
  | { readonly kind: "state"; readonly seq: number; readonly job: Job; readonly event: JobEvent | null }
  | { readonly kind: "progress"; readonly seq: number; readonly job: Job; readonly progress: JobProgress };

export interface SubscriptionSource {
  /** Shares the job with all who watch it, until `leave`. */
  enter(watcher: Watcher): WatchedJob;
  leave(watcher: Watcher): void;
  /** Begins a reading of the job, at once or when the one under way is done. */
  read(): void;
  /** A page of the job's log; rejects while Postgres is away. */
  readEvents(after: number, upTo: number): Promise<JobEvent[]>;
}

export interface SubscriptionOptions {
  /** The last event the subscriber has seen: it goes on from there. Without it, it begins with the present state. */
  readonly after?: number;
  readonly signal: AbortSignal;
}

const progressIntervalMs = 250;
const readAgainMs = 1_000;

type Answer = IteratorResult<JobUpdate, undefined>;
const done: Answer = { done: true, value: undefined };

/** Holds nothing before the first `next()` and nothing after its end. */
export class Subscription implements AsyncIterableIterator<JobUpdate, undefined>, Watcher {
  readonly #source: SubscriptionSource;
  readonly #signal: AbortSignal;
  readonly #asked: PromiseWithResolvers<Answer>[] = [];
  readonly #onAbort = () => this.end();
  #watched: WatchedJob | null = null;
  /** The reading of the job that the first update waits for. */
  #firstReading = 0;
  /** The last event delivered; null before the first update. */
  #cursor: number | null = null;
  readonly #after: number | undefined;
  /** Events read from Postgres because they came too long ago to be shared. */
  #page: JobEvent[] = [];
  #readAgainAt = Number.NEGATIVE_INFINITY;
  #sawFinal = false;
  #progressCount = 0;
  #progressAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #serving = false;
  #ended = false;

  constructor(source: SubscriptionSource, { after, signal }: SubscriptionOptions) {
    this.#source = source;
    this.#after = after;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Answer> {
    if (this.#ended || this.#signal.aborted) return this.return();
    this.#enter();
    const asked = Promise.withResolvers<Answer>();
    this.#asked.push(asked);
    this.wake();
    return asked.promise;
  }

  async return(): Promise<Answer> {
    this.end();
    return done;
  }

  async throw(error: unknown): Promise<Answer> {
    this.end();
    throw error;
  }

  wake(): void {
    void this.#serve();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (this.#watched) this.#source.leave(this);
    for (const { resolve } of this.#asked.splice(0)) resolve(done);
  }

  #enter(): void {
    if (this.#watched) return;
    this.#signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#watched = this.#source.enter(this);
    this.#firstReading = this.#watched.nextReading;
    this.#source.read();
  }

  /** Answers as many calls of `next()` as it can; whoever has news calls it again. Never rejects. */
  async #serve(): Promise<void> {
    if (this.#serving) return;
    this.#serving = true;
    while (this.#asked.length > 0 && !this.#ended) {
      const step = this.#step();
      if (step === "wait") break;
      if (step === "end") this.end();
      else if (step === "read") await this.#readPage();
      else this.#asked.shift()?.resolve({ done: false, value: step });
    }
    this.#serving = false;
  }

  #step(): JobUpdate | "wait" | "read" | "end" {
    const watched = this.#watched;
    if (!watched || watched.readingsDone < this.#firstReading) return "wait";
    const restMs = this.#readAgainAt - performance.now();
    if (restMs > 0) return this.#wakeIn(restMs);
    const { job } = watched;
    if (!job) return "end";
    if (this.#cursor === null && (this.#after === undefined || this.#after >= job.eventSeq)) {
      return this.#state(job, null);
    }
    this.#cursor ??= this.#after ?? 0;
    if (this.#cursor < job.eventSeq) {
      const event = this.#page.shift() ?? watched.eventAfter(this.#cursor);
      if (event === "behind") return "read";
      if (event) return this.#state(job, event);
      this.#cursor = job.eventSeq;
    }
    if (isFinal(job.status)) return this.#sawFinal ? "end" : this.#state(job, null);
    return this.#progress(watched, job);
  }

  #state(job: Job, event: JobEvent | null): JobUpdate {
    this.#cursor = event?.seq ?? job.eventSeq;
    this.#sawFinal ||= isFinal(job.status);
    return { kind: "state", seq: this.#cursor, job, event };
  }

  #progress(watched: WatchedJob, job: Job): JobUpdate | "wait" {
    const { progress } = watched;
    if (!progress || progress.count === this.#progressCount) return "wait";
    const restMs = this.#progressAt + progressIntervalMs - performance.now();
    if (restMs > 0) return this.#wakeIn(restMs);
    this.#progressCount = progress.count;
    this.#progressAt = performance.now();
    return { kind: "progress", seq: job.eventSeq, job, progress: progress.value };
  }

  async #readPage(): Promise<void> {
    const upTo = this.#watched?.job?.eventSeq ?? 0;
    const cursor = this.#cursor ?? 0;
    try {
      this.#page = await this.#source.readEvents(cursor, upTo);
      if (this.#page.length === 0) this.#cursor = upTo;
    } catch {
      this.#readAgainAt = performance.now() + readAgainMs;
    }
  }

  #wakeIn(ms: number): "wait" {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.ceil(ms));
    return "wait";
  }
}
