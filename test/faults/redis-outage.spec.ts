// F9: what is promised when Redis is away, comes back empty, or cuts off its listeners: everything stays up, and nobody misses an end.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { until } from "../live/watched.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { smallFiles } from "../stage/tree.ts";
import { watchOverSse, watchOverWebSocket } from "../stage/watch.ts";
import { type FaultySite, stageFaultySite } from "./kit/backed-up-site.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { assertWholeSteps } from "./kit/whole.ts";

describe("a Redis that fails", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let hub: HubProcess;
  let site: FaultySite;

  before(async () => {
    earth = stack.use(await stageEarth());
    hub = stack.use(await stageHubProcess(earth));
    site = stack.use(await stageFaultySite(hub, smallFiles(20)));
  });
  after(() => stack.disposeAsync());

  const ready = async () => (await (await fetch(`${hub.publicUrl}/ready`)).json()).status as string;

  /** A backup, as two subscribers see it; `during` happens while they watch, and before the worker can have it done. */
  async function watchedBackup(during: () => Promise<unknown>): Promise<void> {
    const { acme, worker } = site;
    worker.child.kill("SIGSTOP");
    const jobId = await startJob(acme.ask, "startBackup", site.sourceId);
    const watching = [watchOverWebSocket, watchOverSse].map((watch) => watch(hub.graphqlUrl, acme.token, jobId));
    await pause(200);
    await during();
    worker.child.kill("SIGCONT");
    for (const steps of await Promise.all(watching)) assertWholeSteps(steps);
    assert.equal((await jobEnd(acme.ask, jobId)).status, "COMPLETED");
  }

  it("and is away does not keep a job from being done and watched to its end", async () => {
    await watchedBackup(() => earth.redis.stop());
    await until(async () => (await ready()) === "degraded");
    assert.equal((await site.acme.ask("{ viewer { email } }")).data.viewer.email, hub.owner.email);
  });

  it("and comes back empty is used again: subscribers go on, and jobs are rung for", async () => {
    await watchedBackup(() => earth.redis.start());
    await until(async () => (await ready()) === "ready");
    const jobId = await startJob(site.acme.ask, "testSource", site.sourceId);
    await until(async () => (await earth.db.outbox.count({ where: { jobId, rungAt: { not: null } } })) === 1);
    assert.equal((await jobEnd(site.acme.ask, jobId)).status, "COMPLETED");
  });

  it("and cuts off who listens to it, again and again, hides no change", async () => {
    const operator = stack.adopt(new Redis(earth.redis.url), (client) => client.disconnect());
    const cutting = new AbortController();
    const cut = async () => {
      while (!cutting.signal.aborted) {
        for (const type of ["pubsub", "normal"]) await operator.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
        await pause(150);
      }
    };
    let cuts: Promise<void> | undefined;
    await watchedBackup(async () => {
      cuts = cut();
    });
    cutting.abort();
    await cuts;
  });

  it("ends nobody", () => {
    for (const { child } of [hub, site.worker, site.restore])
      assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
    assert.doesNotMatch(hub.lines.join("\n"), /MaxListenersExceeded|"level":50|unexpected error/);
  });
});
