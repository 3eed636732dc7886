// F6 and F9 in full: a hub that is away for five minutes in the middle of a job, and a Redis for one, under the terms that operators have.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";
import { watchOverSse, watchOverWebSocket } from "../stage/watch.ts";
import { type FaultySite, stageFaultySite } from "./kit/backed-up-site.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { assertWholeSteps } from "./kit/whole.ts";

const env = { HUB_LEASE_SECONDS: "60", HUB_HEARTBEAT_SECONDS: "15", HUB_SWEEP_SECONDS: "5" };

describe("outages that last", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let hub: HubProcess;
  let site: FaultySite;

  before(async () => {
    earth = stack.use(await stageEarth());
    hub = stack.use(await stageHubProcess(earth, { env }));
    site = stack.use(await stageFaultySite(hub, tree({ "big.bin": seededBytes(256 * 1024 * 1024, "big") })));
  });
  after(() => stack.disposeAsync());

  it("of the hub, for five minutes in the middle of a backup, cost one attempt and no snapshot", async (t) => {
    const { acme, worker, restore, sourceId } = site;
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    while ((await earth.db.job.findUniqueOrThrow({ where: { id: jobId } })).status === "QUEUED") await pause(20);
    await hub.end("SIGKILL");
    await pause(300_000);
    await hub.start();
    const job = await jobEnd(acme.ask, jobId, 180_000);
    t.diagnostic(`completed at attempt ${job.attempt}`);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    assert.equal(await earth.db.snapshot.count({ where: { jobId } }), 1);
    for (const { child } of [worker, restore]) assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
  });

  it("of Redis, for a minute, hide nothing from those who watch", async () => {
    const { acme, worker, sourceId } = site;
    worker.child.kill("SIGSTOP");
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const watching = [watchOverWebSocket, watchOverSse].map((watch) => watch(hub.graphqlUrl, acme.token, jobId));
    await earth.redis.stop();
    worker.child.kill("SIGCONT");
    await pause(60_000);
    await earth.redis.start();
    for (const steps of await Promise.all(watching)) assertWholeSteps(steps);
  });
});
