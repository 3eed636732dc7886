// Rings Bee-Queue for every job that became claimable. Redis may be away, empty or slow: jobs wait in Postgres, nobody waits here.
import type { Logger } from "pino";
import type { Database } from "../../prisma/connect.ts";
import { type Bell, pruneOutbox, ringAgain, ringNew, type StaleBell } from "./outbox.ts";
import { Ringer } from "./ringer.ts";

export interface RelayOptions {
  readonly db: Database;
  readonly redisUrl: string;
  readonly log: Logger;
  /** Pause between two looks at the outbox [1,000]; a nudge ends it. Again is rung, and stalled rings are cleared, every fifth. */
  readonly intervalMs?: number;
  /** Hears of every bell that was rung. */
  readonly onRung?: (kind: "new" | "again") => void;
}

export interface Relay extends AsyncDisposable {
  /** Something was written to the outbox and committed. */
  nudge(): void;
}

const pruneEveryMs = 3_600_000;

/** Runs until disposed of, which waits for the round under way: some seconds at most. */
export function startRelay({ db, redisUrl, log, intervalMs = 1_000, onRung }: RelayOptions): Relay {
  let stopped = false;
  let awake = Promise.withResolvers<void>();
  const nudge = () => awake.resolve();
  const ringer = new Ringer({ redisUrl, log, onReady: nudge });

  const duties = [
    { everyMs: 0, run: ringFresh },
    { everyMs: 5 * intervalMs, run: ringStale },
    { everyMs: 5 * intervalMs, run: () => ringer.clearStalled() },
    { everyMs: pruneEveryMs, run: () => pruneOutbox(db) },
  ].map((duty) => ({ ...duty, lastAt: Number.NEGATIVE_INFINITY, failing: false }));

  async function ringFresh(): Promise<void> {
    const ring = ({ workerIds, jobId, leaseEpoch }: Bell) =>
      everywhere("new", workerIds, (workerId) => ringer.ring(workerId, `${jobId}:${leaseEpoch}`, { jobId }));
    while (!stopped && (await ringNew(db, ring)));
  }

  async function ringStale(): Promise<void> {
    // One batch a round: whoever hears of one of them looks for all. Under a fresh id, since Bee-Queue passes over one it knows.
    const ring = ({ workerIds, jobId, leaseEpoch, at }: StaleBell) =>
      everywhere("again", workerIds, (workerId) =>
        ringer.ringAgain(workerId, `${jobId}:${leaseEpoch}:${at}`, { jobId }),
      );
    await ringAgain(db, ring);
  }

  /** True where nobody is there to be rung: whoever comes looks for itself, and the bell is rung again in its time. */
  async function everywhere(
    kind: "new" | "again",
    workerIds: Bell["workerIds"],
    ringAt: (workerId: string | null) => Promise<boolean>,
  ): Promise<boolean> {
    const isRung = (await Promise.all(workerIds.map(ringAt))).every(Boolean);
    if (isRung && workerIds.length > 0) onRung?.(kind);
    return isRung;
  }

  async function round(): Promise<void> {
    for (const duty of duties) {
      if (stopped || !ringer.ready) return;
      if (performance.now() - duty.lastAt < duty.everyMs) continue;
      duty.lastAt = performance.now();
      try {
        await duty.run();
        duty.failing = false;
      } catch (error) {
        // Told once; it is tried again in its turn.
        if (!duty.failing) log.warn({ err: error }, "relay cannot do its round");
        duty.failing = true;
      }
    }
  }

  async function run(): Promise<void> {
    while (!stopped) {
      awake = Promise.withResolvers();
      const timer = setTimeout(nudge, intervalMs);
      await round();
      await awake.promise;
      clearTimeout(timer);
    }
  }

  const running = run();
  return {
    nudge,
    async [Symbol.asyncDispose]() {
      stopped = true;
      nudge();
      await running;
      await ringer[Symbol.asyncDispose]();
    },
  };
}
