import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Redis } from "ioredis";
import { formatJobMessage, jobChannel } from "../../clients/hub/progress-channel.ts";
import { connectDatabase } from "../../prisma/connect.ts";
import { startJobFeed } from "../../server/live/job-feed.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { stageRedis } from "../stage/redis.ts";
import { moveJob, queueJob, silent, until, writeLog } from "./watched.ts";

const MiB = 1 << 20;
const never = new AbortController().signal;

/** Memory in use once the garbage is gone. */
function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

const someProgress = formatJobMessage({
  v: 1,
  kind: "progress",
  progress: {
    leaseEpoch: 1,
    phase: "PULLING",
    filesDone: 1,
    filesTotal: null,
    bytesDone: 1,
    bytesTotal: null,
    storedBytes: 1,
    currentPath: "p".repeat(500),
  },
});

describe("a subscriber that stops reading", () => {
  it("costs next to nothing through 20,000 events, holds up nobody, and misses none when it reads on", async () => {
    await using database = await stageDatabase();
    await using redis = await stageRedis();
    await using stack = new AsyncDisposableStack();
    const db = stack.adopt(connectDatabase(database.url), (open) => open.$disconnect());
    const operator = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
    const feed = stack.use(startJobFeed({ db, redisUrl: redis.url, log: silent, resyncIntervalMs: 3_600_000 }));
    await until(() => feed.stats().redisReady);

    const id = await queueJob(db);
    await moveJob(db, id, "RUNNING");
    const slow = feed.watch(id, { signal: never });
    const quick = feed.watch(id, { signal: never });
    await Promise.all([slow.next(), quick.next()]);
    let quickSeq = 2;
    const reading = (async () => {
      for await (const { kind, seq } of quick) if (kind === "state") assert.equal(seq, ++quickSeq);
    })();

    const before = heapUsed();
    let written = 2;
    for (let batch = 0; batch < 50; batch++) {
      // Some are few enough to be shared by all who watch, some are too many.
      const lines = batch % 2 === 0 ? 200 : 600;
      written += lines;
      await writeLog(db, id, lines, 500);
      feed.changed(id);
      await Promise.all(Array.from({ length: 40 }, () => operator.publish(jobChannel(id), someProgress)));
      await until(() => quickSeq === written);
    }
    const growth = heapUsed() - before;
    assert.ok(growth < 4 * MiB, `holds ${growth} bytes of the 10 MB that went by`);

    await moveJob(db, id, "COMPLETED");
    feed.changed(id);
    await reading;
    let seen = 2;
    let last: string | undefined;
    for await (const update of slow) {
      if (update.kind === "state") assert.equal(update.seq, ++seen);
      last = update.job.status;
    }
    assert.deepEqual([seen, last], [20_003, "COMPLETED"]);
  });
});
