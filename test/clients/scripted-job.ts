// A job whose life a test writes, told to subscribers the way the hub tells it.
import { EventEmitter, on } from "node:events";
import type { JobStep } from "../../clients/api/jobs.ts";
import { isFinal, type JobStatus } from "../../clients/api/jobs.ts";

type Progress = NonNullable<JobStep["progress"]>;

export const noProgress: Progress = {
  phase: "PULLING",
  filesDone: 0,
  filesTotal: null,
  bytesDone: "0",
  bytesTotal: null,
  storedBytes: "0",
  currentPath: null,
};

export function jobFacts(status: JobStatus, attempt = 1): JobStep["job"] {
  const times = { createdAt: "2026-03-01T12:00:00.000Z", startedAt: null, endedAt: null, cancelRequestedAt: null };
  const outcome = { errorCode: null, errorMessage: null, warningCount: 0, waitingFor: null, nextAttemptAt: null };
  return { id: "job_1", type: "BACKUP", status, attempt, maxAttempts: 3, ...outcome, ...times };
}

export class ScriptedJob {
  /** Of every subscription, what it asked to go on from. */
  readonly askedAfter: (string | null)[] = [];
  watchers = 0;
  /** Resolves when somebody has seen the first step. */
  readonly watched: Promise<void>;
  readonly #onWatched: () => void;
  #job = jobFacts("QUEUED", 0);
  readonly #events: NonNullable<JobStep["event"]>[] = [];
  readonly #news = new EventEmitter();

  constructor() {
    ({ promise: this.watched, resolve: this.#onWatched } = Promise.withResolvers<void>());
    this.log("state", { status: "QUEUED" });
  }

  get lastSeq(): number {
    return this.#events.length;
  }

  move(status: JobStatus, facts: Partial<JobStep["job"]> = {}): void {
    this.#job = { ...jobFacts(status), ...facts };
    this.log("state", { status });
  }

  log(kind: string, facts: object): void {
    this.#events.push({ seq: this.#events.length + 1, kind, facts, at: "2026-03-01T12:00:00.000Z" });
    this.#news.emit("news", null);
  }

  tell(progress: Partial<Progress>): void {
    this.#news.emit("news", { ...noProgress, ...progress });
  }

  watch(after: string | null): AsyncIterableIterator<JobStep> {
    this.askedAfter.push(after);
    this.watchers++;
    // Listens before it looks, or what happens in between would be lost.
    const news = on(this.#news, "news");
    const steps = this.#steps(after, news);
    return {
      next: () => steps.next(),
      // Ends a wait for news, which a generator would sit out.
      return: async () => {
        await news.return?.();
        return steps.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async *#steps(after: string | null, news: AsyncIterator<unknown[]>): AsyncGenerator<JobStep, undefined> {
    try {
      let seq = Math.min(Number(after ?? this.lastSeq), this.lastSeq);
      if (seq === this.lastSeq) yield this.#step(seq, {});
      this.#onWatched();
      for (;;) {
        for (const event of this.#events.slice(seq)) {
          seq = event.seq;
          yield this.#step(seq, { event });
        }
        if (isFinal(this.#job.status) && seq === this.lastSeq) return;
        const { value, done } = await news.next();
        if (done) return;
        const [progress] = value as [Progress | null];
        if (progress) yield this.#step(seq, { progress });
      }
    } finally {
      this.watchers--;
      await news.return?.();
    }
  }

  #step(seq: number, { event = null, progress = null }: Partial<Pick<JobStep, "event" | "progress">>): JobStep {
    return { cursor: String(seq), job: this.#job, event, progress };
  }
}
