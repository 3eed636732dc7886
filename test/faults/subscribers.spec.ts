// F37 and F39: what is promised to those who watch: they may come at any moment, go without a word, and come back all at once.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseOf, playWorker, testedSource } from "../private/played-worker.ts";
import { stageHub } from "../stage/hub.ts";
import { stageTenant, startJob } from "../stage/tenant.ts";
import { watchOverSse, watchOverWebSocket } from "../stage/watch.ts";
import { stageEarth } from "./kit/hub-process.ts";
import { raceSubscribers } from "./kit/race-subscribers.ts";
import { reconnectAtOnce } from "./kit/reconnect-at-once.ts";
import { stageTwoHubs } from "./kit/two-hubs.ts";
import { throughSse, throughWebSocket, watchThrough } from "./kit/watch-through.ts";
import { assertWholeSteps } from "./kit/whole.ts";

describe("subscribers", () => {
  it("who come before a job begins, while it runs, or after its end, see where it stands and then all that follows", async (t) => {
    await using hub = await stageHub();
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    await raceSubscribers(hub, { races: 50, atOnce: 5, seed });
  });

  it("who all come back at once, after all of them were cut off, leave nothing behind", async () => {
    await using hub = await stageHub();
    await reconnectAtOnce(hub, { clients: 100, rounds: 3 });
  });

  it("whose hub is killed go on at another one, from where they were", async () => {
    await using earth = await stageEarth();
    await using pair = await stageTwoHubs(earth);
    const acme = await stageTenant(pair);
    const worker = await playWorker(pair);
    const sourceId = await testedSource(acme, worker);
    const jobId = await startJob(acme.ask, "testSource", sourceId);
    const signal = AbortSignal.timeout(60_000);
    const watching = [
      watchThrough(throughWebSocket(pair.graphqlUrl, acme.token, jobId), signal),
      watchThrough(throughSse(pair.graphqlUrl, acme.token, jobId), signal),
    ];
    const job = await worker.take("TEST_SOURCE");
    const report = { retryForMs: 20_000 };
    await worker.api.enterPhase({ ...leaseOf(job), phase: "CONNECTING" }, report);
    const [first, second] = pair.hubs;
    await first.end("SIGKILL");
    await worker.api.enterPhase({ ...leaseOf(job), phase: "PULLING" }, report);
    await first.start();
    await second.end("SIGKILL");
    await worker.api.completeJob({ ...leaseOf(job), findings: {} }, report);
    for (const steps of await Promise.all(watching)) assertWholeSteps(steps);
  });

  it("who come after the end are told of it at once, and let go", async () => {
    await using hub = await stageHub();
    const acme = await stageTenant(hub);
    const worker = await playWorker(hub);
    const sourceId = await testedSource(acme, worker);
    const jobId = await startJob(acme.ask, "testSource", sourceId);
    await worker.api.completeJob({ ...leaseOf(await worker.take("TEST_SOURCE")), findings: {} });
    for (const watch of [watchOverWebSocket, watchOverSse]) {
      const steps = await watch(hub.graphqlUrl, acme.token, jobId);
      assertWholeSteps(steps);
      assert.equal(steps[0]?.event?.seq, 1);
    }
  });
});
