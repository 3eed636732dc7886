// F10: what is promised when Redis is full of junk: on every channel and under every key of the queues. It is dropped, and work goes on.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { doorbellQueue } from "../../clients/hub/doorbell.ts";
import { until } from "../live/watched.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { smallFiles } from "../stage/tree.ts";
import { watchOverSse, watchOverWebSocket } from "../stage/watch.ts";
import { stageFaultySite } from "./kit/backed-up-site.ts";
import { stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { assertWholeSteps } from "./kit/whole.ts";

const MiB = 1 << 20;
/** Well formed, and none of ours. */
const wrong = [
  { v: 1, kind: "progress", progress: { leaseEpoch: "one" } },
  { v: 99, kind: "changed" },
  { v: 1, changed: "tenants" },
  { jobId: { $ne: null } },
  { jobId: "job_00000000000000000000000000000000" },
  { __proto__: null, constructor: { prototype: { jobId: "x" } } },
].map((each) => JSON.stringify(each));

function junk(n: number): string | Buffer {
  if (n % 100 === 0) return Buffer.alloc(MiB, "j");
  return n % 2 === 0 ? randomBytes(n % 300) : (wrong[n % wrong.length] ?? "");
}

describe("junk in Redis", { skip: missingOpenSsh ?? false }, () => {
  it("is dropped by all who hear or fetch it, and backups are done and watched to their end", async () => {
    await using earth = await stageEarth();
    await using hub = await stageHubProcess(earth);
    await using site = await stageFaultySite(hub, smallFiles(20));
    await using stack = new AsyncDisposableStack();
    const operator = stack.adopt(new Redis(earth.redis.url), (client) => client.disconnect());
    const { acme, worker, sourceId } = site;

    worker.child.kill("SIGSTOP");
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const watching = [watchOverWebSocket, watchOverSse].map((watch) => watch(hub.graphqlUrl, acme.token, jobId));
    const channels = async () => (await operator.pubsub("CHANNELS", "*")) as string[];
    await until(async () => (await channels()).some((channel) => channel.endsWith(jobId)));
    for (let n = 0; n < 1_000; n++) for (const channel of await channels()) await operator.publish(channel, junk(n));
    const queues = [null, worker.workerId].map((id) => `bq:${doorbellQueue(id)}`);
    await litter(operator, queues);
    worker.child.kill("SIGCONT");
    for (const steps of await Promise.all(watching)) assertWholeSteps(steps);

    // And with keys that are of another kind altogether.
    const keys = ["waiting", "active", "jobs", "stalling", "delayed"];
    for (const key of queues.flatMap((queue) => keys.map((each) => `${queue}:${each}`)))
      await operator.multi().del(key).set(key, randomBytes(64)).exec();
    const another = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId));
    assert.equal(another.status, "COMPLETED", another.errorMessage);
    // Long enough to stumble over what was fetched.
    await pause(500);
    for (const { child } of [hub, worker, site.restore])
      assert.deepEqual([child.exitCode, child.signalCode], [null, null]);

    // Once the keys are free again, the doorbell works again.
    await operator.flushall();
    const rung = await startJob(acme.ask, "testSource", sourceId);
    await until(async () => (await earth.db.outbox.count({ where: { jobId: rung, rungAt: { not: null } } })) === 1);
    assert.equal((await jobEnd(acme.ask, rung)).status, "COMPLETED");
  });
});

/** Rings that are none: ids without a job, jobs that are no JSON, too large, or of another shape. */
async function litter(operator: Redis, queues: readonly string[]): Promise<void> {
  for (const queue of queues)
    for (let n = 1; n <= 100; n++) {
      await operator.hset(`${queue}:jobs`, `junk-${n}`, junk(n));
      await operator.lpush(`${queue}:waiting`, `junk-${n}`);
      if (n % 3 === 0) await operator.lpush(`${queue}:waiting`, randomBytes(20));
      if (n % 5 === 0) await operator.sadd(`${queue}:stalling`, `junk-${n}`);
      if (n % 7 === 0) await operator.zadd(`${queue}:delayed`, n, `junk-${n}`);
    }
}
