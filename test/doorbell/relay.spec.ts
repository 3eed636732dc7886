import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { listenForDoorbell } from "../../clients/hub/doorbell.ts";
import { newId } from "../../domain/ids.ts";
import type { Depth, JobType, Prisma } from "../../prisma/client/client.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { startRelay } from "../../server/doorbell/relay.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { type StagedRedis, stageRedis } from "../stage/redis.ts";
import { leaveBells, letTimePass, ringIds, silent, until } from "./bells.ts";

describe("the relay", () => {
  const stack = new AsyncDisposableStack();
  let db: Database;
  let redis: StagedRedis;
  let operator: Redis;

  before(async () => {
    db = connectDatabase(stack.use(await stageDatabase()).url);
    stack.defer(() => db.$disconnect());
    redis = stack.use(await stageRedis());
    operator = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
    operator.on("error", () => {});
  });
  afterEach(async () => {
    await redis.start();
    await redis.flushAll();
    await db.$executeRaw`DELETE FROM outbox`;
    await db.$executeRaw`DELETE FROM jobs`;
  });
  after(() => stack.disposeAsync());

  const start = (intervalMs = 20) => startRelay({ db, redisUrl: redis.url, log: silent, intervalMs });
  const unrung = () => db.outbox.count({ where: { rungAt: null } });
  const listen = (heard: string[]) =>
    listenForDoorbell({
      redisUrl: redis.url,
      workerId: worker(),
      hearsShared: true,
      onRing: (job) => heard.push(job),
      log: silent,
    });
  const worker = () => newId("worker", new Date());
  const enrol = async (said: Partial<Prisma.WorkerCreateInput>) => {
    const id = worker();
    await db.worker.create({ data: { id, name: id, tokenHash: id, ...said } });
    return id;
  };

  it("rings each bell once, however many hubs relay", async () => {
    const heard: string[] = [];
    await using _listener = await listen(heard);
    const jobs = await leaveBells(db, 150);
    await using _here = start();
    await using _there = start();
    await until(async () => (await unrung()) === 0 && heard.length >= jobs.length, 30_000);
    await pause(200);
    assert.deepEqual(heard.toSorted(), jobs.toSorted());
  });

  it("says nothing but the job, under an id of this job and lease", async () => {
    const [job] = await leaveBells(db, 1);
    await using _relay = start();
    await until(async () => (await unrung()) === 0);
    assert.deepEqual(await ringIds(operator), [`${job}:0`]);
    const ring = JSON.parse((await operator.hget("bq:xvault:jobs", `${job}:0`)) ?? "");
    assert.deepEqual(ring.data, { jobId: job });
  });

  it("rings at once when nudged", async () => {
    await using relay = start(60_000);
    await until(async () => ((await operator.client("LIST")) as string).split("\n").length > 2);
    await pause(50);
    const [job] = await leaveBells(db, 1);
    relay.nudge();
    await until(async () => (await ringIds(operator)).includes(`${job}:0`), 2_000);
  });

  it("rings a worker's own queue for what only it can do, all on one connection", async () => {
    const jobs = new Map<string, string>();
    for (let n = 0; n < 12; n++) {
      const targetWorkerId = worker();
      for (const job of await leaveBells(db, 1, { targetWorkerId })) jobs.set(job, targetWorkerId);
    }
    const connections = async () => ((await operator.client("LIST")) as string).trim().split("\n").length;
    const others = await connections();
    await using _relay = start();
    await until(async () => (await unrung()) === 0);
    for (const [job, workerId] of jobs) assert.deepEqual(await ringIds(operator, `xvault-${workerId}`), [`${job}:0`]);
    assert.deepEqual(await ringIds(operator), []);
    assert.equal(await connections(), others + 1);
  });

  it("rings every restore service that reads the store, for restores from it and checks of what is in it", async () => {
    const [owner, other] = [worker(), worker()];
    const service = (changes: Partial<Prisma.WorkerCreateInput> = {}, readsStoresOf = [worker(), owner]) =>
      enrol({ role: "RESTORE", status: "ONLINE", capabilities: { readsStoresOf }, ...changes });
    const readers = [await service(), await service()];
    const silentOnes = [
      await service({}, [other]),
      await service({ drainedAt: new Date() }),
      await service({ retiredAt: new Date() }),
      await service({ status: "OFFLINE" }),
      await service({ status: "DRAINING" }),
      await service({ role: "BACKUP" }),
    ];
    const left = (type: JobType, verifyDepth: Depth | null = null) =>
      leaveBells(db, 1, { targetWorkerId: owner, type, verifyDepth });
    const forReaders = [...(await left("RESTORE")), ...(await left("VERIFY", "CONTENT"))];
    const forOwner = [...(await left("VERIFY", "BYTES")), ...(await left("DELETE_SNAPSHOT"))];
    await using _relay = start();
    await until(async () => (await unrung()) === 0);
    const named = (jobs: readonly string[]) => jobs.map((job) => `${job}:0`).toSorted();
    for (const reader of readers) assert.deepEqual(await ringIds(operator, `xvault-${reader}`), named(forReaders));
    assert.deepEqual(await ringIds(operator, `xvault-${owner}`), named(forOwner));
    for (const each of silentOnes) assert.deepEqual(await ringIds(operator, `xvault-${each}`), []);

    // To stop one that is under way, its holder is rung.
    const [held = ""] = forReaders;
    const [holder = ""] = readers;
    await db.job.update({
      where: { id: held },
      data: { status: "RUNNING", leaseEpoch: 1, attempt: 1, workerId: holder, cancelRequestedAt: new Date() },
    });
    await db.outbox.create({ data: { jobId: held, leaseEpoch: 1, targetWorkerId: holder } });
    await until(async () => (await ringIds(operator, `xvault-${holder}`)).includes(`${held}:1`));
  });

  it("rings a restore again at a service that came online after its bell", async () => {
    const owner = worker();
    const [job] = await leaveBells(db, 1, { targetWorkerId: owner, type: "RESTORE" });
    await using _relay = start();
    await until(async () => (await unrung()) === 0);
    const late = await enrol({ role: "RESTORE", status: "ONLINE", capabilities: { readsStoresOf: [owner] } });
    await letTimePass(db);
    await until(async () => (await ringIds(operator, `xvault-${late}`)).some((id) => id.startsWith(`${job}:0:`)));
  });

  it("rings again, under a fresh id, for what is still queued after Redis was emptied", async () => {
    const [lost, claimed] = await leaveBells(db, 2);
    await using _relay = start();
    await until(async () => (await unrung()) === 0);
    await redis.flushAll();
    await db.job.update({ where: { id: claimed ?? "" }, data: { status: "RUNNING", leaseEpoch: 1, attempt: 1 } });
    await pause(300);
    assert.deepEqual(await ringIds(operator), [], "rang again before half a minute was over");
    await letTimePass(db);
    await until(async () => (await ringIds(operator)).length > 0);
    assert.match((await ringIds(operator)).join(), new RegExp(`^${lost}:0:\\d+$`));
    for (let n = 0; n < 3; n++) {
      await letTimePass(db);
      await pause(150);
    }
    assert.equal((await ringIds(operator)).length, 1, "piles up rings that nobody hears");
  });

  it("outlives a Redis that is away at first, restarts without its scripts, or is emptied of them", async () => {
    await redis.stop();
    const [early] = await leaveBells(db, 1);
    await using relay = start();
    relay.nudge();
    await pause(200);
    assert.equal(await unrung(), 1);
    await redis.start();
    await until(async () => (await ringIds(operator)).includes(`${early}:0`));

    await redis.stop();
    const [late] = await leaveBells(db, 1);
    await redis.start();
    await until(async () => (await ringIds(operator)).includes(`${late}:0`));

    await operator.script("FLUSH");
    const [last] = await leaveBells(db, 1);
    await until(async () => (await ringIds(operator)).includes(`${last}:0`));
  });

  it("waits seconds, not for ever, for a Redis that hangs, and goes on when it answers again", async () => {
    const relay = start();
    await leaveBells(db, 1);
    await until(async () => (await unrung()) === 0);
    await operator.client("PAUSE", 60_000, "ALL");
    await leaveBells(db, 1);
    await pause(300);
    const began = performance.now();
    await relay[Symbol.asyncDispose]();
    assert.ok(performance.now() - began < 6_000);
    assert.equal(await unrung(), 1);
    await redis.stop();
    await redis.start();
    await using _next = start();
    await until(async () => (await unrung()) === 0);
  });

  it("is not held up by a queue that Redis refuses to touch", async () => {
    const targetWorkerId = worker();
    await operator.set(`bq:xvault-${targetWorkerId}:jobs`, "junk");
    await leaveBells(db, 120, { targetWorkerId });
    const jobs = await leaveBells(db, 10);
    await using _relay = start();
    const waiting = () => operator.llen("bq:xvault:waiting");
    await until(async () => (await waiting()) === jobs.length);
    await until(async () => (await unrung()) === 0);

    await operator.set(`bq:xvault-${targetWorkerId}:waiting`, "junk");
    await operator.del("bq:xvault:waiting");
    await letTimePass(db);
    await until(async () => (await waiting()) > 0);
  });

  it("rings a job that was put off when it is due", async () => {
    const [{ soon } = { soon: new Date() }] = await db.$queryRaw<{ soon: Date }[]>`
      SELECT now() + interval '1 second' AS soon`;
    const [job] = await leaveBells(db, 1, { notBefore: soon });
    await using _relay = start();
    await pause(400);
    assert.deepEqual(await ringIds(operator), []);
    await until(async () => (await ringIds(operator)).includes(`${job}:0`), 3_000);
  });

  it("passes over a job that was found by polling, and forgets bells after a day unless their job still waits", async () => {
    const [found, old, waiting] = await leaveBells(db, 3);
    await db.job.updateMany({
      where: { id: { in: [found ?? "", old ?? ""] } },
      data: { status: "RUNNING", leaseEpoch: 1, attempt: 1 },
    });
    await db.$executeRaw`
      UPDATE outbox SET created_at = now() - interval '25 hours', rung_at = now() WHERE job_id IN (${old}, ${waiting})`;
    await using _relay = start();
    await until(async () => (await db.outbox.count()) === 2 && (await unrung()) === 0);
    assert.deepEqual(await ringIds(operator), []);
    assert.equal(await db.outbox.count({ where: { jobId: { in: [found ?? "", waiting ?? ""] } } }), 2);
  });

  it("hands on rings whose listener died, and takes unreadable ones off the queue", async () => {
    await using _relay = start();
    const [job] = await leaveBells(db, 1);
    await until(async () => (await unrung()) === 0);
    // As a listener does that dies right after it took the ring.
    assert.equal(await operator.rpoplpush("bq:xvault:waiting", "bq:xvault:active"), `${job}:0`);
    await operator.lpush("bq:xvault:active", "junk");
    await until(async () => (await operator.llen("bq:xvault:active")) === 0, 15_000);
    assert.deepEqual(await ringIds(operator), []);
    const heard: string[] = [];
    await using _listener = await listen(heard);
    await letTimePass(db);
    await until(() => heard.includes(job ?? ""));
  });
});
