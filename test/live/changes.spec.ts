import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { newId } from "../../domain/ids.ts";
import type { Job } from "../../prisma/client/client.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import type { RowUpdate } from "../../server/live/change-subscription.ts";
import { formatCursor } from "../../server/live/cursor.ts";
import { type LiveFeeds, startLiveFeeds } from "../../server/live/live-feeds.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { stageRedis } from "../stage/redis.ts";
import { makeSource, makeTenant, moveJob, queueJob, silent, until, writeLog } from "./watched.ts";

const never = new AbortController().signal;

type Updates = AsyncIterableIterator<RowUpdate<Job>, undefined>;

describe("a subscription to the jobs of a tenant", () => {
  const stack = new AsyncDisposableStack();
  let databaseUrl: string;
  let db: Database;
  let here: LiveFeeds;
  let elsewhere: LiveFeeds;

  before(async () => {
    databaseUrl = stack.use(await stageDatabase()).url;
    db = connectDatabase(databaseUrl);
    stack.defer(() => db.$disconnect());
    const { url } = stack.use(await stageRedis());
    // Without the safety net, so that a change nobody was told of is never found.
    const options = { db, redisUrl: url, log: silent, resyncIntervalMs: 3_600_000 };
    here = stack.use(startLiveFeeds(options));
    elsewhere = stack.use(startLiveFeeds(options));
    await until(() => here.stats().redisReady && elsewhere.stats().redisReady);
  });
  after(() => stack.disposeAsync());

  const watch = (tenantId: string, after?: string, feeds = here): Updates =>
    feeds.jobs.watch(tenantId, { sourceIds: null, signal: never, ...(after !== undefined && { after }) });

  /** Everything up to the word that this was all there was before. */
  async function opening(updates: Updates): Promise<{ jobs: Job[]; cursor: string }> {
    const jobs: Job[] = [];
    for (;;) {
      const { value } = await updates.next();
      assert.ok(value, "it ended");
      if (!value.row) return { jobs, cursor: value.cursor };
      jobs.push(value.row);
    }
  }

  async function change(id: string, tenantId: string, status: "RUNNING" | "COMPLETED" | "CANCELED", by = here) {
    await moveJob(db, id, status);
    by.jobChanged(id, tenantId);
  }

  it("begins with all that have not ended, and says when that was all", async () => {
    const tenantId = await makeTenant(db);
    const ids = [await queueJob(db, { tenantId }), await queueJob(db, { tenantId }), await queueJob(db, { tenantId })];
    await moveJob(db, ids[1] ?? "", "CANCELED");
    await queueJob(db);
    const updates = watch(tenantId);
    const { jobs } = await opening(updates);
    assert.deepEqual(
      jobs,
      await db.job.findMany({ where: { id: { in: [ids[0] ?? "", ids[2] ?? ""] } }, orderBy: { id: "asc" } }),
    );
    await updates.return?.();
  });

  it("says so at once where there is nothing, and is told of the first job afterwards", async () => {
    const tenantId = await makeTenant(db);
    const updates = watch(tenantId);
    assert.deepEqual((await opening(updates)).jobs, []);
    const id = await queueJob(db, { tenantId });
    here.jobChanged(id, tenantId);
    assert.equal((await updates.next()).value?.row?.id, id);
    await updates.return?.();
  });

  it("begins with all of them where they take more than a page", async () => {
    const tenantId = await makeTenant(db);
    await db.$executeRaw`INSERT INTO jobs (id, tenant_id, type, event_seq)
      SELECT 'job_' || lpad(n::text, 32, '0'), ${tenantId}, 'BACKUP', 1 FROM generate_series(1, 1300) n`;
    const updates = watch(tenantId);
    await updates.next();
    const moved = `job_${"1250".padStart(32, "0")}`;
    // While it is being told, and nobody says so.
    await moveJob(db, moved, "RUNNING");
    const { jobs } = await opening(updates);
    const told = new Map(jobs.map((job) => [job.id, job]));
    assert.equal(told.size, 1299);
    assert.equal(told.get(moved)?.status, "RUNNING");
    await updates.return?.();
  });

  it("is told of changes made at another hub", async () => {
    const tenantId = await makeTenant(db);
    const id = await queueJob(db, { tenantId });
    const updates = watch(tenantId);
    await opening(updates);
    await change(id, tenantId, "RUNNING", elsewhere);
    assert.equal((await updates.next()).value?.row?.status, "RUNNING");
    await change(id, tenantId, "COMPLETED", elsewhere);
    assert.equal((await updates.next()).value?.row?.status, "COMPLETED");
    await updates.return?.();
  });

  it("misses no transaction that began before others and committed after them", async () => {
    const tenantId = await makeTenant(db);
    const [early, late] = [await queueJob(db, { tenantId }), await queueJob(db, { tenantId })];
    const updates = watch(tenantId);
    await opening(updates);
    const hold = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = db.$transaction(
      async (tx) => {
        await moveJob(tx as Database, late, "CANCELED");
        begun.resolve();
        await hold.promise;
      },
      { timeout: 20_000 },
    );
    await begun.promise;
    await change(early, tenantId, "RUNNING");
    const first = (await updates.next()).value;
    assert.equal(first?.row?.id, early);
    await change(early, tenantId, "COMPLETED");
    const second = (await updates.next()).value;
    const resumed = watch(tenantId, second?.cursor, elsewhere);
    hold.resolve();
    await slow;
    here.jobChanged(late, tenantId);
    for (const each of [updates, resumed]) {
      let told = (await each.next()).value;
      if (!told?.row) told = (await each.next()).value;
      assert.deepEqual([told?.row?.id, told?.row?.status], [late, "CANCELED"]);
      await each.return?.();
    }
  });

  it("resumes at every cursor without a gap, at another hub too", async () => {
    const tenantId = await makeTenant(db);
    const ids = await Promise.all(Array.from({ length: 40 }, () => queueJob(db, { tenantId })));
    const updates = watch(tenantId);
    const cursors: string[] = [];
    for (let n = 0; n < 10; n++) cursors.push((await updates.next()).value?.cursor ?? "");
    cursors.push((await opening(updates)).cursor);
    for (const id of ids.slice(0, 20)) {
      await change(id, tenantId, "CANCELED");
      cursors.push((await updates.next()).value?.cursor ?? "");
    }
    await updates.return?.();
    for (const id of ids.slice(20)) await moveJob(db, id, "CANCELED");
    for (const [index, cursor] of cursors.entries()) {
      const resumed = watch(tenantId, cursor, index % 2 ? here : elsewhere);
      const { jobs } = await opening(resumed);
      await resumed.return?.();
      const told = new Set(jobs.filter(({ status }) => status === "CANCELED").map(({ id }) => id));
      const missed = ids.slice(Math.max(index - 10, 0)).filter((id) => !told.has(id));
      // Before the present state is all told it begins anew: with what has not ended, which is nothing any more.
      if (index >= 10) assert.deepEqual(missed, [], `after the cursor ${index}`);
      else assert.deepEqual(jobs, []);
      // The last cursors have little behind them: nothing is told twice that needs not be.
      if (index >= 10) assert.ok(told.size <= 40 - (index - 10) + 1, `${told.size} after cursor ${index}`);
    }
  });

  it("begins anew with a cursor of another life of the database, and knows what no cursor is", async () => {
    const tenantId = await makeTenant(db);
    const id = await queueJob(db, { tenantId });
    const ahead = formatCursor("900000000:900000000:");
    assert.ok(here.jobs.isCursor(ahead));
    const updates = watch(tenantId, ahead);
    const { jobs } = await opening(updates);
    await updates.return?.();
    assert.deepEqual(
      jobs.map((job) => job.id),
      [id],
    );
    for (const junk of [
      "",
      "x",
      "1",
      "é",
      "5:4:",
      "4:9:3",
      "4:9:5,5",
      "4:9:5,",
      "0:0:",
      "1:2:3:4",
      "9".repeat(30),
      "1; DROP",
    ])
      assert.ok(
        !here.jobs.isCursor(junk === "" || junk === "x" ? junk : Buffer.from(junk).toString("base64url")),
        junk,
      );
    // Postgres takes whatever counts as one.
    for (const odd of ["1:1:", "1:999999999999999999:", "7:12:8,11"]) {
      assert.ok(here.jobs.isCursor(formatCursor(odd)), odd);
      const resumed = watch(tenantId, formatCursor(odd));
      await opening(resumed);
      await resumed.return?.();
    }
  });

  it("is told of the jobs of its sources alone, those about their snapshots included", async () => {
    const tenantId = await makeTenant(db);
    const [mine, other] = [await makeSource(db, tenantId), await makeSource(db, tenantId)];
    const jobs = {
      mine: await queueJob(db, { tenantId, sourceId: mine }),
      other: await queueJob(db, { tenantId, sourceId: other }),
    };
    const snapshotId = newId("snapshot", new Date());
    const facts = {
      manifest: {},
      manifestSha256: "",
      artifactSha256: "",
      keyFingerprint: "",
      status: "COMPLETED",
    } as const;
    await db.snapshot.create({ data: { ...facts, id: snapshotId, tenantId, sourceId: mine, jobId: jobs.mine } });
    const restoring = newId("job", new Date());
    await db.job.create({ data: { id: restoring, tenantId, type: "RESTORE", targetSnapshotId: snapshotId } });
    const bound = here.jobs.watch(tenantId, { sourceIds: [mine], signal: never });
    const first = await opening(bound);
    assert.deepEqual(new Set(first.jobs.map(({ id }) => id)), new Set([jobs.mine, restoring]));
    await change(jobs.other, tenantId, "CANCELED");
    await change(restoring, tenantId, "CANCELED");
    assert.equal((await bound.next()).value?.row?.id, restoring);
    await bound.return?.();
  });

  it("loses no final state of 200 jobs whose watchers come before, amid and after", async () => {
    const tenantId = await makeTenant(db);
    const stop = new AbortController();
    const watchers = Array.from({ length: 20 }, (_, n) => {
      /** Null: it was over before the watcher came. */
      const seen = new Map<string, string | null>();
      const watching = (async () => {
        await pause(n * 50);
        const updates = (n % 2 ? here : elsewhere).jobs.watch(tenantId, { sourceIds: null, signal: stop.signal });
        for await (const { row } of updates) {
          if (row) seen.set(row.id, row.status);
          else {
            const over = await db.job.findMany({ where: { tenantId, status: "COMPLETED" }, select: { id: true } });
            for (const { id } of over) if (!seen.has(id)) seen.set(id, null);
          }
          if (Math.random() < 0.05) await pause(30);
        }
      })();
      return { seen, watching };
    });
    const ids = new Set<string>();
    for (let n = 0; n < 200; n++) ids.add(newId("job", new Date(Date.now() + n)));
    const lives = [...ids].map(async (id) => {
      await pause(Math.random() * 800);
      await db.job.create({ data: { id, tenantId, type: "BACKUP", eventSeq: 1 } });
      here.jobChanged(id, tenantId);
      await change(id, tenantId, "RUNNING", elsewhere);
      await pause(Math.random() * 200);
      await moveJob(db, id, "FINALIZING");
      await moveJob(db, id, "COMPLETED");
      (Math.random() < 0.5 ? here : elsewhere).jobChanged(id, tenantId);
    });
    await Promise.all(lives);
    const isTold = ({ seen }: { seen: ReadonlyMap<string, string | null> }) =>
      ids.values().every((id) => seen.get(id) === "COMPLETED" || seen.get(id) === null);
    await until(() => watchers.every(isTold));
    stop.abort();
    await Promise.all(watchers.map(({ watching }) => watching));
    assert.equal(here.stats().watchers + elsewhere.stats().watchers, 0);
  });

  it("is ended at once by return() and by its signal, with a next() still pending", async () => {
    const tenantId = await makeTenant(db);
    const stop = new AbortController();
    const aborted = here.jobs.watch(tenantId, { sourceIds: null, signal: stop.signal });
    const returned = watch(tenantId);
    await Promise.all([opening(aborted), opening(returned)]);
    const pending = [aborted.next(), returned.next()];
    stop.abort();
    await returned.return?.();
    for (const each of await Promise.all(pending)) assert.deepEqual(each, { done: true, value: undefined });
    assert.equal(here.stats().watchers, 0);
  });

  it("begins with the newest 20 snapshots that are not deleted, and with the workers that are not retired", async () => {
    const tenantId = await makeTenant(db);
    const sourceId = await makeSource(db, tenantId);
    const facts = { manifest: {}, manifestSha256: "", artifactSha256: "", keyFingerprint: "" } as const;
    const made: string[] = [];
    for (let n = 0; n < 25; n++) {
      const id = newId("snapshot", new Date(Date.now() + n));
      const status = n === 24 ? "DELETED" : "COMPLETED";
      await db.snapshot.create({
        data: { ...facts, id, tenantId, sourceId, jobId: await queueJob(db, { tenantId }), status },
      });
      made.push(id);
    }
    const updates = here.snapshots.watch(tenantId, { sourceIds: null, signal: never });
    for (const id of made.slice(4, 24)) assert.equal((await updates.next()).value?.row?.id, id);
    assert.equal((await updates.next()).value?.row, null);
    await db.snapshot.update({ where: { id: made[0] ?? "" }, data: { pinned: true } });
    elsewhere.snapshotsChanged(tenantId);
    assert.deepEqual((await updates.next()).value?.row?.id, made[0]);
    await updates.return?.();

    const worker = (retiredAt: Date | null) => {
      const id = newId("worker", new Date());
      return db.worker.create({ data: { id, name: id, tokenHash: id, retiredAt } });
    };
    const [active] = [await worker(null), await worker(new Date())];
    const workers = here.workers.watch("", { sourceIds: null, signal: never });
    assert.equal((await workers.next()).value?.row?.id, active.id);
    assert.equal((await workers.next()).value?.row, null);
    // A heartbeat is no news; a state is.
    await db.worker.update({ where: { id: active.id }, data: { lastSeenAt: new Date() } });
    elsewhere.workersChanged();
    const next = workers.next();
    await pause(50);
    await db.worker.update({ where: { id: active.id }, data: { status: "ONLINE" } });
    elsewhere.workersChanged();
    assert.equal((await next).value?.row?.status, "ONLINE");
    await workers.return?.();
  });

  it("costs one reading however many watch, and is told many changes of a job as one", async () => {
    const tenantId = await makeTenant(db);
    const id = await queueJob(db, { tenantId });
    const counted: string[] = [];
    const watched = new Proxy(db, {
      get: (target, name) => {
        if (name === "$queryRaw" || name === "job") counted.push(String(name));
        return Reflect.get(target, name) as unknown;
      },
    });
    await using feeds = startLiveFeeds({
      db: watched,
      redisUrl: "redis://127.0.0.1:1",
      log: silent,
      resyncIntervalMs: 3_600_000,
    });
    const all = Array.from({ length: 300 }, () => feeds.jobs.watch(tenantId, { sourceIds: null, signal: never }));
    await Promise.all(all.map(opening));
    assert.ok(counted.length <= 6, `${counted}`);
    counted.length = 0;
    const next = all.map((updates) => updates.next());
    await writeLog(db, id, 3);
    await moveJob(db, id, "CANCELED");
    for (let n = 0; n < 100; n++) feeds.jobChanged(id, tenantId);
    for (const { value } of await Promise.all(next)) assert.equal(value?.row?.status, "CANCELED");
    assert.ok(counted.length <= 6, `${counted}`);
  });
});
