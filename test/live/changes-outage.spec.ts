import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Redis } from "ioredis";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { type LiveFeeds, startLiveFeeds } from "../../server/live/live-feeds.ts";
import { formatChangeMessage, tenantChannel, workersChannel } from "../../server/live/tenant-channel.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { type StagedRedis, stageRedis } from "../stage/redis.ts";
import { makeTenant, moveJob, queueJob, silent, until } from "./watched.ts";

const never = new AbortController().signal;
const hour = 3_600_000;

describe("the live feed of a tenant and its Redis", () => {
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

  const start = (resyncIntervalMs: number) =>
    startLiveFeeds({ db, redisUrl: redis.url, log: silent, resyncIntervalMs });
  const channels = async () => ((await operator.pubsub("CHANNELS", "xvault:*")) as string[]).length;

  async function watched(feeds: LiveFeeds) {
    const tenantId = await makeTenant(db);
    const id = await queueJob(db, { tenantId });
    const updates = feeds.jobs.watch(tenantId, { sourceIds: null, signal: never });
    assert.equal((await updates.next()).value?.row?.id, id);
    assert.equal((await updates.next()).value?.row, null);
    return { tenantId, id, updates };
  }

  it("tells changes without Redis, within the pace of the safety net", async () => {
    await redis.stop();
    await using feeds = start(100);
    const { id, updates } = await watched(feeds);
    await moveJob(db, id, "CANCELED");
    assert.equal((await updates.next()).value?.row?.status, "CANCELED");
    await redis.start();
  });

  it("reads every watched tenant again when Redis returns, and hears of what changes then", async () => {
    await using here = start(hour);
    await using elsewhere = start(hour);
    await until(() => here.stats().redisReady && elsewhere.stats().redisReady);
    const all = await Promise.all(Array.from({ length: 20 }, () => watched(here)));
    await redis.stop();
    await until(() => !here.stats().redisReady);
    for (const { id, tenantId } of all) {
      await moveJob(db, id, "RUNNING");
      elsewhere.jobChanged(id, tenantId);
    }
    await redis.start();
    for (const { updates } of all) assert.equal((await updates.next()).value?.row?.status, "RUNNING");
    await until(async () => elsewhere.stats().redisReady && (await channels()) === 20);
    for (const { id, tenantId } of all) {
      await moveJob(db, id, "COMPLETED");
      elsewhere.jobChanged(id, tenantId);
    }
    for (const { updates } of all) assert.equal((await updates.next()).value?.row?.status, "COMPLETED");
  });

  it("holds one channel for a tenant, however many watch its jobs and snapshots, and none when nobody does", async () => {
    await using feeds = start(hour);
    await until(() => feeds.stats().redisReady);
    const tenantId = await makeTenant(db);
    const options = { sourceIds: null, signal: never };
    const watches = Array.from({ length: 40 }, () => [
      feeds.jobs.watch(tenantId, options),
      feeds.snapshots.watch(tenantId, options),
      feeds.workers.watch("", options),
    ]).flat();
    await Promise.all(watches.map((updates) => updates.next()));
    await until(async () => (await channels()) === 2);
    assert.equal(feeds.stats().watchers, 120);
    for (const [index, updates] of watches.entries()) if (index % 3 === 0) await updates.return?.();
    assert.equal(await channels(), 2);
    await Promise.all(watches.map((updates) => updates.return?.()));
    await until(async () => (await channels()) === 0);
    assert.equal(feeds.stats().watchers, 0);
  });

  it("drops junk on its channels, counts it, and goes on", async () => {
    await using feeds = start(hour);
    await until(() => feeds.stats().redisReady);
    const { tenantId, id, updates } = await watched(feeds);
    const workers = feeds.workers.watch("", { sourceIds: null, signal: never });
    await workers.next();
    await until(async () => (await channels()) === 2);
    const changed = formatChangeMessage("jobs");
    const junk = [
      "",
      "null",
      "[]",
      "{",
      JSON.stringify({ v: 2, changed: "jobs" }),
      JSON.stringify({ v: 1, changed: "__proto__" }),
      JSON.stringify({ v: 1, changed: ["jobs"] }),
      changed + " ".repeat(4_096),
      Buffer.alloc(1 << 20, "x"),
      ...Array.from({ length: 1_000 }, () => randomBytes(64)),
    ];
    for (const message of junk) {
      await operator.publish(tenantChannel(tenantId), message);
      await operator.publish(workersChannel, message);
    }
    await moveJob(db, id, "CANCELED");
    // Well formed, but about what nobody watches there.
    for (const noun of ["workers", "snapshots"] as const)
      await operator.publish(tenantChannel(tenantId), formatChangeMessage(noun));
    await operator.publish(tenantChannel(tenantId), changed);
    assert.equal((await updates.next()).value?.row?.status, "CANCELED");
    assert.equal(feeds.stats().dropped, 2 * junk.length);
  });

  it("outlives connections that Postgres broke off", async () => {
    await using feeds = start(100);
    const { id, tenantId, updates } = await watched(feeds);
    const other = stack.adopt(connectDatabase(databaseUrl), (open) => open.$disconnect());
    for (let n = 0; n < 5; n++) {
      await other.$executeRaw`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
      feeds.jobChanged(id, tenantId);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await moveJob(other, id, "CANCELED");
    let told = (await updates.next()).value?.row;
    while (told?.status !== "CANCELED") told = (await updates.next()).value?.row;
  });

  it("ends its subscriptions and closes in good time, with Redis away too", async () => {
    for (const away of [false, true]) {
      if (away) await redis.stop();
      const feeds = start(hour);
      const { updates } = await watched(feeds);
      const pending = updates.next();
      const began = performance.now();
      await feeds[Symbol.asyncDispose]();
      assert.deepEqual(await pending, { done: true, value: undefined });
      assert.ok(performance.now() - began < 2_000);
    }
    await redis.start();
  });
});
