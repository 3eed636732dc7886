// Takes jobs from the hub, some at a time: woken by the doorbell, and looking by itself because a doorbell may be lost.
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";

export interface ClaimTerms<Job> {
  /** As many jobs as are due, `most` at most. */
  readonly claim: (most: number) => Promise<readonly Job[]>;
  /** Must not throw. `stopping` is aborted when the work is to be given back. */
  readonly perform: (job: Job, stopping: AbortSignal) => Promise<void>;
  /** Jobs under way at a time. */
  readonly atOnce: number;
  /** Longest pause between two looks while the hub answers. */
  readonly pollMs: number;
  /** What work under way may take to end by itself once the process is told to stop. */
  readonly drainMs: number;
  readonly log: Logger;
}

export interface Claims extends AsyncDisposable {
  /** Something may be due: looks at once. */
  ring(): void;
}

const longestPauseMs = 15_000;

/** Disposal claims nothing more, lets work under way end for a while, then stops it and waits for that. */
export function takeClaims<Job>({ claim, perform, atOnce, pollMs, drainMs, log }: ClaimTerms<Job>): Claims {
  const closing = new AbortController();
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  let rung = Promise.withResolvers<void>();

  async function next(): Promise<readonly Job[] | null> {
    try {
      return await claim(atOnce - underWay.size);
    } catch (error) {
      log.warn({ err: error }, "could not ask for work");
      return null;
    }
  }

  async function run(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      if (underWay.size >= atOnce) {
        await Promise.race(underWay);
        continue;
      }
      rung = Promise.withResolvers();
      const jobs = await next();
      failures = jobs === null ? failures + 1 : 0;
      for (const job of jobs ?? []) {
        const work: Promise<void> = perform(job, stopping.signal).finally(() => {
          underWay.delete(work);
          // Something else may have waited for its source, or for a place of its tenant.
          rung.resolve();
        });
        underWay.add(work);
      }
      if (!jobs?.length) {
        const pauseMs = Math.min(pollMs * 2 ** failures, longestPauseMs);
        const waited = pause(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
        await (failures > 0 ? waited : Promise.race([waited, rung.promise]));
      }
    }
  }

  const running = run();
  return {
    ring: () => rung.resolve(),
    async [Symbol.asyncDispose]() {
      closing.abort();
      const timer = setTimeout(() => stopping.abort(), drainMs);
      await running;
      await Promise.all(underWay);
      clearTimeout(timer);
    },
  };
}
