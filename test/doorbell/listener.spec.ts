import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import BeeQueue from "bee-queue";
import { Redis } from "ioredis";
import { doorbellQueue, listenForDoorbell } from "../../clients/hub/doorbell.ts";
import { type StagedRedis, stageRedis } from "../stage/redis.ts";
import { silent, until } from "./bells.ts";

describe("a doorbell listener", () => {
  const stack = new AsyncDisposableStack();
  let redis: StagedRedis;
  let operator: Redis;
  let heard: string[] = [];

  before(async () => {
    redis = stack.use(await stageRedis());
    operator = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
    operator.on("error", () => {});
  });
  afterEach(async () => {
    heard = [];
    await redis.start();
    await redis.flushAll();
  });
  after(() => stack.disposeAsync());

  const listen = (onRing = (jobId: string) => void heard.push(jobId), hearsShared = true) =>
    listenForDoorbell({ redisUrl: redis.url, workerId: "wrk_1", hearsShared, onRing, log: silent });
  const connections = async () => ((await operator.client("LIST")) as string).trim().split("\n").length;

  /** As any producer of Bee-Queue rings. */
  async function ring(workerId: string | null, data: unknown): Promise<void> {
    const queue = new BeeQueue(doorbellQueue(workerId), {
      redis: { url: redis.url },
      isWorker: false,
      getEvents: false,
    });
    queue.on("error", () => {});
    await queue.createJob(data).save();
    await queue.close();
  }

  it("hears the shared queue and its own, and no other's", async () => {
    await using _listener = await listen();
    await ring(null, { jobId: "job_shared" });
    await ring("wrk_1", { jobId: "job_own" });
    await ring("wrk_2", { jobId: "job_foreign" });
    await until(() => heard.length === 2);
    await pause(100);
    assert.deepEqual(heard.toSorted(), ["job_own", "job_shared"]);
    assert.equal(await operator.exists("bq:xvault:jobs", "bq:xvault:active", "bq:xvault-wrk_1:jobs"), 0);
  });

  it("leaves the shared queue to others where it is told to", async () => {
    await using _listener = await listen(undefined, false);
    await ring(null, { jobId: "job_shared" });
    await ring("wrk_1", { jobId: "job_own" });
    await until(() => heard.length === 1);
    await pause(100);
    assert.deepEqual(heard, ["job_own"]);
    assert.equal(await operator.llen("bq:xvault:waiting"), 1, "it waits for one that can do it");
  });

  it("does not keep a worker waiting for Redis, and hears once it is there", async () => {
    await redis.stop();
    const began = performance.now();
    await using _listener = await listen();
    assert.ok(performance.now() - began < 200);
    await pause(300);
    await redis.start();
    await ring(null, { jobId: "job_1" });
    await until(() => heard.includes("job_1"));
  });

  it("hears again after Redis was restarted, killed its connections, or lost its scripts", async () => {
    await using _listener = await listen();
    await ring(null, { jobId: "job_0" });
    await until(() => heard.includes("job_0"));
    const upheavals = [
      () => redis.stop().then(redis.start),
      () => operator.call("CLIENT", "KILL", "TYPE", "normal"),
      () => operator.script("FLUSH"),
      () => redis.flushAll(),
    ];
    for (const [n, upheaval] of upheavals.entries()) {
      await upheaval();
      // One ring may be lost in the upheaval itself.
      await until(async () => {
        await ring(null, { jobId: `job_shared_${n}` });
        await ring("wrk_1", { jobId: `job_own_${n}` });
        return heard.includes(`job_shared_${n}`) && heard.includes(`job_own_${n}`);
      });
    }
  });

  it("drops junk in its queues and goes on", async () => {
    await using _listener = await listen();
    for (let n = 0; n < 300; n++) await operator.lpush("bq:xvault:waiting", `missing-${n}`);
    const values = ["{", "null", "[]", '"x"', JSON.stringify({ data: { jobId: "../../etc" } }), "x".repeat(1 << 20)];
    for (const [n, value] of values.entries()) {
      await operator.hset("bq:xvault:jobs", `junk-${n}`, value);
      await operator.lpush("bq:xvault:waiting", `junk-${n}`);
    }
    await ring(null, { tenantId: "job_1" });
    await ring(null, "job_1");
    await ring(null, { jobId: "job_good" });
    await until(() => heard.length > 0);
    assert.deepEqual(heard, ["job_good"]);
  });

  it("listens in the end where Redis refused its first command", async () => {
    await operator.set("bq:xvault:stalling", "junk");
    await using _listener = await listen();
    await ring(null, { jobId: "job_1" });
    await until(() => heard.includes("job_1"));
  });

  it("goes on after whoever it wakes has thrown", async () => {
    await using _listener = await listen((jobId) => {
      heard.push(jobId);
      throw new Error("worker stumbled");
    });
    await ring(null, { jobId: "job_1" });
    await ring(null, { jobId: "job_2" });
    await until(() => heard.length === 2);
  });

  it("closes in good time and leaves no connection, whatever Redis does", async () => {
    const upheavals = [
      async () => {},
      () => redis.stop(),
      async () => void (await operator.client("PAUSE", 60_000, "ALL")),
    ];
    for (const upheaval of upheavals) {
      await using listener = await listen();
      // The operator's own, and of the listener one to command with and one for each queue.
      await until(async () => (await connections()) === 1 + 3);
      await upheaval();
      const began = performance.now();
      await listener[Symbol.asyncDispose]();
      assert.ok(performance.now() - began < 3_000);
      // Ends the outage, and the pause.
      if (upheaval !== upheavals[0]) await redis.stop().then(redis.start);
      await until(async () => (await connections()) === 1);
    }
  });

  it("closes in good time where Redis hangs from the start", async () => {
    await operator.client("PAUSE", 60_000, "ALL");
    const listener = await listen();
    await pause(300);
    const began = performance.now();
    await listener[Symbol.asyncDispose]();
    assert.ok(performance.now() - began < 3_000);
    await redis.stop();
  });
});
