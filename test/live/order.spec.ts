import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { type JobFeed, startJobFeed } from "../../server/live/job-feed.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { stageRedis } from "../stage/redis.ts";
import { assertWhole, collect, moveJob, queueJob, silent, until, writeLog } from "./watched.ts";

describe("a subscription to a job", () => {
  const never = new AbortController().signal;
  const stack = new AsyncDisposableStack();
  let db: Database;
  let here: JobFeed;
  let elsewhere: JobFeed;

  before(async () => {
    db = connectDatabase(stack.use(await stageDatabase()).url);
    stack.defer(() => db.$disconnect());
    const { url } = stack.use(await stageRedis());
    // Without the safety net, so that an update nobody was told of is never found.
    const options = { db, redisUrl: url, log: silent, resyncIntervalMs: 3_600_000 };
    here = stack.use(startJobFeed(options));
    elsewhere = stack.use(startJobFeed(options));
    await until(() => here.stats().redisReady && elsewhere.stats().redisReady);
  });
  after(() => stack.disposeAsync());

  it("begins with the present state of a job that waits", async () => {
    const id = await queueJob(db);
    const job = await db.job.findUniqueOrThrow({ where: { id } });
    const updates = here.watch(id, { signal: never });
    const { value } = await updates.next();
    assert.deepEqual(value, { kind: "state", seq: 1, job, event: null });
    await updates.return?.();
  });

  it("tells the present state of a job that has ended, and ends", async () => {
    const id = await queueJob(db);
    await moveJob(db, id, "CANCELED");
    const updates = await collect(here.watch(id, { signal: never }));
    assert.equal(updates.length, 1);
    assertWhole(updates, { seq: 2, status: "CANCELED" });
  });

  it("ends at once for a job that is gone", async () => {
    assert.deepEqual(await collect(here.watch("job_00000000000000000000000000000000", { signal: never })), []);
  });

  it("misses and repeats nothing while 500 jobs race it to their end, here and at another hub", async () => {
    async function race(): Promise<void> {
      const id = await queueJob(db);
      const watchers = [here, elsewhere].map(async (feed) => {
        await pause(Math.random() * 20);
        return collect(feed.watch(id, { signal: never }));
      });
      await pause(Math.random() * 10);
      for (const step of [
        () => moveJob(db, id, "RUNNING"),
        () => writeLog(db, id, 1),
        () => moveJob(db, id, "FINALIZING"),
        () => moveJob(db, id, "COMPLETED"),
      ]) {
        await step();
        here.changed(id);
      }
      for (const updates of await Promise.all(watchers)) assertWhole(updates, { seq: 5, status: "COMPLETED" });
    }
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 50 }, race));
    assert.equal(here.stats().watchedJobs + elsewhere.stats().watchedJobs, 0);
  });

  it("resumes after any event without a gap, however long ago it was", async () => {
    const id = await queueJob(db);
    await writeLog(db, id, 1_000);
    await moveJob(db, id, "RUNNING");
    const present = elsewhere.watch(id, { after: 1_002, signal: never });
    assert.equal((await present.next()).value?.seq, 1_002);
    const watchers = [0, 1, 400, 1_001].map((seq) => collect(elsewhere.watch(id, { after: seq, signal: never })));
    await pause(20);
    await moveJob(db, id, "COMPLETED");
    here.changed(id);
    const seen = await Promise.all(watchers);
    for (const updates of seen) assertWhole(updates, { seq: 1_003, status: "COMPLETED" });
    assert.deepEqual(
      seen.map((updates) => updates[0]?.seq),
      [1, 2, 401, 1_002],
    );
    const rest = await collect(present);
    assert.deepEqual(
      rest.map(({ seq }) => seq),
      [1_003],
    );
  });

  it("is ended at once by return() and by its signal, with a next() still pending", async () => {
    const id = await queueJob(db);
    const stop = new AbortController();
    const aborted = here.watch(id, { signal: stop.signal });
    const returned = here.watch(id, { signal: never });
    await Promise.all([aborted.next(), returned.next()]);
    const pending = [aborted.next(), returned.next()];
    await pause(20);
    stop.abort();
    await returned.return?.();
    assert.deepEqual(await Promise.all(pending), [
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    assert.deepEqual(await aborted.next(), { done: true, value: undefined });
    assert.equal(here.stats().watchedJobs, 0);
  });
});
