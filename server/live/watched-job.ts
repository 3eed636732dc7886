// What one process knows of one watched job: its row, the end of its log and its latest progress, once for all who watch it.
import type { JobProgress } from "../../clients/hub/progress-channel.ts";
import type { Job, JobEvent, JobStatus } from "../../prisma/client/client.ts";
import { eventPage, type JobReading } from "./job-reader.ts";

export interface Watcher {
  /** There may be something new. */
  wake(): void;
  /** There will be nothing more. */
  end(): void;
}

const epochRereadMs = 1_000;

export class WatchedJob {
  readonly watchers = new Set<Watcher>();
  /** Undefined: not read yet. Null: no such job any more. */
  job: Job | null | undefined;
  /** How many readings were finished, counted by their begin: a watcher waits for one that began after it came. */
  readingsDone = 0;
  #readingsBegun = 0;
  /** Every event after `#tailAfter`, up to the job's newest. */
  #tail: JobEvent[] = [];
  #tailAfter = 0;
  #progress: JobProgress | null = null;
  #progressCount = 0;
  #rereadAt = Number.NEGATIVE_INFINITY;

  /** The number of the next reading. */
  get nextReading(): number {
    return this.#readingsBegun + 1;
  }

  /** Answers with the cursor to read from: null before the first reading. */
  beginReading(): number | null {
    this.#readingsBegun++;
    return this.job ? this.job.eventSeq : null;
  }

  /** Takes in the reading that was begun last; undefined where the job is gone. */
  apply(reading: JobReading | undefined): void {
    this.readingsDone = this.#readingsBegun;
    this.job = reading?.job ?? null;
    if (reading?.events) this.#tail.push(...reading.events);
    else this.#dropTail(this.#tail.length, reading?.job.eventSeq ?? 0);
    const surplus = this.#tail.length - eventPage;
    if (surplus > 0) this.#dropTail(surplus, this.#tail[surplus - 1]?.seq ?? 0);
    for (const watcher of this.watchers) watcher.wake();
  }

  /**
   * Takes in progress that came over Redis. True where it speaks of a lease that Postgres has to be asked about; once a second at most,
   * since anybody who reaches Redis can say so.
   */
  receive(progress: JobProgress): boolean {
    const known = this.job?.leaseEpoch ?? 0;
    if (progress.leaseEpoch < known) return false;
    this.#progress = progress;
    this.#progressCount++;
    if (progress.leaseEpoch === known) {
      for (const watcher of this.watchers) watcher.wake();
      return false;
    }
    if (performance.now() - this.#rereadAt < epochRereadMs) return false;
    this.#rereadAt = performance.now();
    return true;
  }

  /** The next event after a cursor; "behind" where it is no longer held here, undefined where there is none. */
  eventAfter(cursor: number): JobEvent | "behind" | undefined {
    if (cursor < this.#tailAfter) return "behind";
    return this.#tail.find((event) => event.seq > cursor);
  }

  /** Progress of the present lease, numbered so that nobody is told the same twice. */
  get progress(): { count: number; value: JobProgress } | null {
    const active = this.job?.status === "RUNNING" || this.job?.status === "FINALIZING";
    if (!active || this.#progress?.leaseEpoch !== this.job?.leaseEpoch || !this.#progress) return null;
    return { count: this.#progressCount, value: this.#progress };
  }

  #dropTail(count: number, after: number): void {
    this.#tail.splice(0, count);
    this.#tailAfter = after;
  }
}

export function isFinal(status: JobStatus): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "CANCELED";
}
