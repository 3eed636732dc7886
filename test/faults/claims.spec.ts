// F4, F5 and F8: that each job is claimed once under each lease and done once, whoever asks, repeats or forgets.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectHub } from "../../clients/hub/hub-client.ts";
import { leaseOf, playWorker } from "../private/played-worker.ts";
import { stageFaultProxy } from "../stage/fault-proxy.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { assertDoneOnce, drained, makeTenants, queueNullJobs } from "./kit/null-jobs.ts";
import { startNullWorker } from "./kit/null-worker.ts";

describe("a thousand jobs, two hubs and eight claimers", () => {
  it("come to one claim for each lease, and one end (F4)", async () => {
    await using earth: StagedEarth = await stageEarth();
    await using stack = new AsyncDisposableStack();
    const hubs: HubProcess[] = [];
    for (let n = 0; n < 2; n++) hubs.push(stack.use(await stageHubProcess(earth)));
    const jobs = await queueNullJobs(earth.db, await makeTenants(earth.db, 10), 1_000);
    const workers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        startNullWorker({ earth, privateUrl: hubs[n % 2]?.privateUrl ?? "", atOnce: n % 2 ? 1 : 10 }),
      ),
    );
    for (const worker of workers) stack.use(worker);
    await drained(earth.db, jobs, 120_000);
    await assertDoneOnce(earth.db, jobs);
    assert.ok(workers.filter(({ completed }) => completed.length > 0).length >= 4, "more than one of them had work");
  });
});

describe("the end of a job", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
  });
  after(() => stack.disposeAsync());

  it("that is reported again, after its answer was lost and by fifty at once, is the same answer, row and event (F5)", async () => {
    const worker = await playWorker(hub);
    const [jobId = ""] = await queueNullJobs(hub.db, await makeTenants(hub.db, 1), 1);
    const lease = leaseOf(await worker.take("TEST_SOURCE"));
    const { port } = new URL(hub.privateUrl);
    // The first byte of the answer never arrives; what was asked did.
    await using proxy = await stageFaultProxy({ host: "127.0.0.1", port: Number(port) }, { cutAtByte: 0 });
    const cut = connectHub({ baseUrl: `http://127.0.0.1:${proxy.port}`, token: worker.token });
    await assert.rejects(cut.completeJob({ ...lease, findings: {} }), { code: "UNREACHABLE" });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => worker.api.completeJob({ ...lease, findings: {} })),
    );
    assert.deepEqual(new Set(answers.map((answer) => JSON.stringify(answer))), new Set([JSON.stringify(lease)]));
    await assertDoneOnce(hub.db, [jobId]);
  });
});

describe("a Redis that is emptied with 500 jobs queued and four under way", () => {
  it("loses none of them: those under way end, and the others are found within ten seconds (F8)", async () => {
    await using hub = await stageHub({ leaseSeconds: 60 });
    const tenants = await makeTenants(hub.db, 5);
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let first = 0;
    const perform = async () => {
      if (++first > 4) return;
      if (first === 4) begun.resolve();
      await held.promise;
    };
    await using worker = await startNullWorker({ earth: hub, privateUrl: hub.privateUrl, atOnce: 4, perform });
    const early = await queueNullJobs(hub.db, tenants, 4);
    await begun.promise;
    const late = await queueNullJobs(hub.db, tenants, 500);
    await hub.redis.flushAll();
    held.resolve();
    await drained(hub.db, [...early, ...late], 60_000);
    await assertDoneOnce(hub.db, [...early, ...late]);
    assert.equal(worker.completed.length, 504);

    // Nobody is busy now, and nobody is rung for what comes next: looking finds it.
    const [forgotten = ""] = await queueNullJobs(hub.db, tenants, 1);
    await hub.redis.flushAll();
    const began = performance.now();
    await drained(hub.db, [forgotten], 10_000);
    assert.ok(performance.now() - began < 10_000);

    // Without anybody who looks, the outbox rings again.
    await worker[Symbol.asyncDispose]();
    const [unheard = ""] = await queueNullJobs(hub.db, tenants, 1);
    await hub.db.$executeRaw`UPDATE outbox SET rung_at = now() - interval '1 minute' WHERE job_id = ${unheard}`;
    const deadline = performance.now() + 15_000;
    for (;;) {
      const [bell] = await hub.db.$queryRaw<{ again: boolean }[]>`
        SELECT rung_at > now() - interval '30 seconds' AS again FROM outbox WHERE job_id = ${unheard}`;
      if (bell?.again) break;
      assert.ok(performance.now() < deadline, "the bell was not rung again");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});
