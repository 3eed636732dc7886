import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connectDatabase } from "../../prisma/connect.ts";
import { startLiveFeeds } from "../../server/live/live-feeds.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { stageRedis } from "../stage/redis.ts";
import { makeTenant, silent, until } from "./watched.ts";

const MiB = 1 << 20;
const never = new AbortController().signal;
const jobs = 4_000;
const rounds = 10;

/** Memory in use once the garbage is gone. */
function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

describe("a watcher of a tenant that stops reading", () => {
  it("costs next to nothing through 40,000 changes, holds up nobody, and learns how each job ended when it reads on", async () => {
    await using database = await stageDatabase();
    await using redis = await stageRedis();
    await using stack = new AsyncDisposableStack();
    const db = stack.adopt(connectDatabase(database.url), (open) => open.$disconnect());
    const feeds = stack.use(startLiveFeeds({ db, redisUrl: redis.url, log: silent, resyncIntervalMs: 3_600_000 }));
    await until(() => feeds.stats().redisReady);
    const tenantId = await makeTenant(db);
    const watch = () => feeds.jobs.watch(tenantId, { sourceIds: null, signal: never });
    const stalled = Array.from({ length: 50 }, watch);
    const quick = watch();
    for (const updates of [...stalled, quick]) assert.equal((await updates.next()).value?.row, null);
    const newest = new Map<string, number>();
    const reading = (async () => {
      for await (const { row } of quick) if (row) newest.set(row.id, row.eventSeq);
    })();

    await db.$executeRaw`INSERT INTO jobs (id, tenant_id, type)
      SELECT 'job_' || lpad(n::text, 32, '0'), ${tenantId}, 'BACKUP' FROM generate_series(1, ${jobs}::int) n`;
    const before = heapUsed();
    for (let round = 1; round <= rounds; round++) {
      await db.$executeRaw`UPDATE jobs SET event_seq = ${round},
        status = (CASE ${round}::int WHEN 1 THEN 'RUNNING' WHEN ${rounds}::int THEN 'COMPLETED' ELSE status::text END)::job_status`;
      feeds.jobChanged("job_", tenantId);
      await until(() => newest.size === jobs && newest.values().every((seq) => seq === round), 20_000);
    }
    const growth = heapUsed() - before;
    assert.ok(growth / stalled.length < 0.5 * MiB, `${growth} bytes for ${stalled.length} of them`);
    assert.ok(growth < 16 * MiB, `holds ${growth} bytes`);
    await quick.return?.();
    await reading;

    const [one] = stalled;
    assert.ok(one);
    const ended = new Set<string>();
    let told = 0;
    while (ended.size < jobs) {
      const { value } = await one.next();
      if (value?.row?.status === "COMPLETED") ended.add(value.row.id);
      told++;
    }
    assert.ok(told < 2 * jobs, `told ${told} times`);
  });
});
