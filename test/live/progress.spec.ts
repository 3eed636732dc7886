import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import {
  connectProgress,
  formatJobMessage,
  type JobProgress,
  jobChannel,
  type ProgressChannel,
} from "../../clients/hub/progress-channel.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { type JobFeed, startJobFeed } from "../../server/live/job-feed.ts";
import type { JobUpdate } from "../../server/live/subscription.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { stageRedis } from "../stage/redis.ts";
import { assertWhole, collect, moveJob, queueJob, silent, until } from "./watched.ts";

const never = new AbortController().signal;

function progress(leaseEpoch: number, filesDone: number): JobProgress {
  const sizes = { filesTotal: null, bytesDone: 0, bytesTotal: null, storedBytes: 0 };
  return { leaseEpoch, phase: "PULLING", filesDone, ...sizes };
}

function isProgress(update: JobUpdate): update is JobUpdate & { kind: "progress" } {
  return update.kind === "progress";
}

describe("progress in the live feed", () => {
  const stack = new AsyncDisposableStack();
  let db: Database;
  let feed: JobFeed;
  let worker: ProgressChannel;
  let operator: Redis;

  before(async () => {
    db = connectDatabase(stack.use(await stageDatabase()).url);
    stack.defer(() => db.$disconnect());
    const { url } = stack.use(await stageRedis());
    feed = stack.use(startJobFeed({ db, redisUrl: url, log: silent, resyncIntervalMs: 3_600_000 }));
    worker = stack.use(connectProgress({ redisUrl: url, log: silent }));
    operator = stack.adopt(new Redis(url), (client) => client.disconnect());
    await operator.ping();
    await until(() => feed.stats().redisReady);
  });
  after(() => stack.disposeAsync());

  async function watchRunning(): Promise<{ id: string; updates: AsyncIterableIterator<JobUpdate, undefined> }> {
    const id = await queueJob(db);
    await moveJob(db, id, "RUNNING");
    const updates = feed.watch(id, { signal: never });
    await updates.next();
    // The subscription at Redis follows the first update; what is said before it is not heard.
    await until(async () => (await operator.pubsub("NUMSUB", jobChannel(id)))[1] === 1);
    return { id, updates };
  }

  /** Unlike a worker, as fast as it is called. */
  async function announce(id: string, value: JobProgress): Promise<void> {
    await operator.publish(jobChannel(id), formatJobMessage({ v: 1, kind: "progress", progress: value }));
  }

  async function nextProgress(updates: AsyncIterator<JobUpdate, undefined>): Promise<number> {
    const { value } = await updates.next();
    assert.ok(value && isProgress(value), `told ${value?.kind} instead`);
    return value.progress.filesDone;
  }

  it("comes four times a second at most, the latest wins and the last one is told", async () => {
    const { id, updates } = await watchRunning();
    const began = performance.now();
    const work = (async () => {
      for (let filesDone = 1; filesDone <= 600; filesDone++) {
        worker.publish(id, progress(1, filesDone));
        if (filesDone % 4 === 0) await pause(5);
      }
    })();
    const told: number[] = [];
    while (told.at(-1) !== 600) told.push(await nextProgress(updates));
    const took = performance.now() - began;
    await work;
    await updates.return?.();
    assert.ok(told.length >= 2 && told.length <= took / 250 + 2, `${told.length} in ${took} ms`);
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
  });

  it("floods nobody, however fast it comes in", async () => {
    const { id, updates } = await watchRunning();
    const seen = collect(updates);
    const began = performance.now();
    for (let n = 0; performance.now() - began < 1_000; n++) {
      await announce(id, progress(1, n));
    }
    await moveJob(db, id, "COMPLETED");
    feed.changed(id);
    const told = (await seen).filter(isProgress).length;
    assert.ok(told >= 2 && told <= (performance.now() - began) / 250 + 1, `told ${told} times`);
  });

  it("of a lease the hub has not heard of makes it look, and progress of the lease before is dropped", async () => {
    const { id, updates } = await watchRunning();
    worker.publish(id, progress(1, 11));
    assert.equal(await nextProgress(updates), 11);
    await moveJob(db, id, "QUEUED");
    await moveJob(db, id, "RUNNING");
    await pause(300);
    // Nobody told the feed of the two moves.
    worker.publish(id, progress(2, 21));
    assert.deepEqual([(await updates.next()).value?.seq, (await updates.next()).value?.seq], [3, 4]);
    const told: number[] = [];
    while (told.at(-1) !== 22) {
      for (const stale of [12, 13, 14]) await announce(id, progress(1, stale));
      await announce(id, progress(2, 22));
      await announce(id, progress(1, 15));
      told.push(await nextProgress(updates));
    }
    await updates.return?.();
    assert.ok(
      told.every((filesDone) => filesDone >= 21),
      `told ${told}`,
    );
  });

  it("never comes after the end, nor between the events that led to it", async () => {
    async function race(): Promise<void> {
      const { id, updates } = await watchRunning();
      const seen = collect(updates);
      const stop = new AbortController();
      const storm = (async () => {
        for (let n = 0; !stop.signal.aborted; n++) await announce(id, progress(1, n));
      })();
      await pause(Math.random() * 300);
      await moveJob(db, id, "FINALIZING");
      await moveJob(db, id, "COMPLETED");
      feed.changed(id);
      const told = await seen;
      stop.abort();
      await storm;
      assertWhole(told, { seq: 4, status: "COMPLETED" });
      assert.deepEqual(
        told.slice(-2).map(({ seq }) => seq),
        [3, 4],
      );
    }
    await Promise.all(Array.from({ length: 30 }, race));
  });
});
