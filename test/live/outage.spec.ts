import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { jobChannel } from "../../clients/hub/progress-channel.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { startJobFeed } from "../../server/live/job-feed.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { type StagedRedis, stageRedis } from "../stage/redis.ts";
import { assertWhole, collect, moveJob, queueJob, silent, until } from "./watched.ts";

const never = new AbortController().signal;
const hour = 3_600_000;

describe("the live feed and its Redis", () => {
  const stack = new AsyncDisposableStack();
  let databaseUrl: string;
  let db: Database;
  let redis: StagedRedis;
  let operator: Redis;

  before(async () => {
    databaseUrl = stack.use(await stageDatabase()).url;
    db = connectDatabase(databaseUrl);
    stack.defer(() => db.$disconnect());
    redis = stack.use(await stageRedis());
    operator = new Redis(redis.url);
    operator.on("error", () => {});
    stack.defer(() => operator.disconnect());
  });
  after(() => stack.disposeAsync());

  const start = (resyncIntervalMs: number) => startJobFeed({ db, redisUrl: redis.url, log: silent, resyncIntervalMs });
  const channels = async () => ((await operator.pubsub("CHANNELS", "xvault:*")) as string[]).length;

  it("tells states without Redis, within the pace of the safety net", async () => {
    await redis.stop();
    await using feed = start(100);
    const id = await queueJob(db);
    const updates = feed.watch(id, { signal: never });
    assert.equal((await updates.next()).value?.seq, 1);
    await moveJob(db, id, "CANCELED");
    assertWhole(await collect(updates), { seq: 2, status: "CANCELED" });
    assert.equal(feed.stats().redisReady, false);
    await redis.start();
  });

  it("reads every watched job again when Redis returns", async () => {
    await using here = start(hour);
    await using elsewhere = start(hour);
    await until(() => here.stats().redisReady && elsewhere.stats().redisReady);
    const jobs = await Promise.all(Array.from({ length: 20 }, () => queueJob(db)));
    const watches = jobs.map((id) => here.watch(id, { signal: never }));
    await Promise.all(watches.map((updates) => updates.next()));
    await redis.stop();
    await until(() => !here.stats().redisReady);
    for (const id of jobs) {
      await moveJob(db, id, "CANCELED");
      elsewhere.changed(id);
    }
    await redis.start();
    for (const updates of watches) assertWhole(await collect(updates), { seq: 2, status: "CANCELED" });
  });

  it("goes on after its connection to Redis was killed", async () => {
    await using here = start(hour);
    await using elsewhere = start(hour);
    await until(() => here.stats().redisReady && elsewhere.stats().redisReady);
    const id = await queueJob(db);
    const updates = here.watch(id, { signal: never });
    await updates.next();
    await until(async () => (await channels()) === 1);
    await operator.call("CLIENT", "KILL", "TYPE", "pubsub");
    await moveJob(db, id, "RUNNING");
    elsewhere.changed(id);
    assert.equal((await updates.next()).value?.seq, 2);
    await until(async () => (await channels()) === 1);
    await moveJob(db, id, "FAILED");
    elsewhere.changed(id);
    assertWhole(await collect(updates), { seq: 3, status: "FAILED" });
  });

  it("outlives connections that Postgres broke off", async () => {
    await using feed = start(100);
    const id = await queueJob(db);
    const updates = feed.watch(id, { signal: never });
    await updates.next();
    const other = stack.adopt(connectDatabase(databaseUrl), (open) => open.$disconnect());
    for (let n = 0; n < 5; n++) {
      await other.$executeRaw`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
      feed.changed(id);
      await pause(30);
    }
    await moveJob(other, id, "CANCELED");
    assertWhole(await collect(updates), { seq: 2, status: "CANCELED" });
  });

  it("holds one channel for a job, however many watch it, and none when nobody does", async () => {
    await using feed = start(hour);
    await until(() => feed.stats().redisReady);
    const jobs = await Promise.all(Array.from({ length: 5 }, () => queueJob(db)));
    const watches = jobs.flatMap((id) => Array.from({ length: 40 }, () => feed.watch(id, { signal: never })));
    await Promise.all(watches.map((updates) => updates.next()));
    await until(async () => (await channels()) === 5);
    assert.deepEqual(feed.stats(), { watchedJobs: 5, watchers: 200, dropped: 0, redisReady: true });
    await Promise.all(watches.map((updates) => updates.return?.()));
    await until(async () => (await channels()) === 0);
    assert.equal(feed.stats().watchedJobs, 0);
  });

  it("drops junk, counts it, and goes on", async () => {
    await using feed = start(hour);
    await until(() => feed.stats().redisReady);
    const id = await queueJob(db);
    const updates = feed.watch(id, { signal: never });
    await updates.next();
    await until(async () => (await channels()) === 1);
    const changed = JSON.stringify({ v: 1, kind: "changed" });
    const junk = [
      "",
      "null",
      "[]",
      "{",
      JSON.stringify({ v: 2, kind: "changed" }),
      JSON.stringify({ v: 1, kind: "progress", progress: { leaseEpoch: -1 } }),
      JSON.stringify({ v: 1, kind: "__proto__" }),
      changed + " ".repeat(4_096),
      Buffer.alloc(1 << 20, "x"),
      ...Array.from({ length: 1_000 }, () => randomBytes(64)),
    ];
    for (const message of junk) await operator.publish(jobChannel(id), message);
    await moveJob(db, id, "CANCELED");
    await operator.publish(jobChannel(id), changed);
    assertWhole(await collect(updates), { seq: 2, status: "CANCELED" });
    assert.equal(feed.stats().dropped, junk.length);
  });

  it("ends its subscriptions and closes in good time, with Redis away too", async () => {
    for (const away of [false, true]) {
      if (away) await redis.stop();
      const feed = start(hour);
      const id = await queueJob(db);
      const updates = feed.watch(id, { signal: never });
      await updates.next();
      const pending = updates.next();
      const began = performance.now();
      await feed[Symbol.asyncDispose]();
      assert.deepEqual(await pending, { done: true, value: undefined });
      assert.ok(performance.now() - began < 2_000);
    }
    await redis.start();
  });
});
