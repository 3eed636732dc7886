// The full tier of F4: ten thousand jobs, two hubs, four workers, and everybody in a hurry.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { assertDoneOnce, drained, makeTenants, queueNullJobs } from "./kit/null-jobs.ts";
import { startNullWorker } from "./kit/null-worker.ts";

describe("ten thousand jobs, two hubs and four workers", () => {
  it("come to one claim for each lease, and one end (F4)", async (test) => {
    await using earth = await stageEarth();
    await using first = await stageHubProcess(earth);
    await using second = await stageHubProcess(earth);
    const jobs = await queueNullJobs(earth.db, await makeTenants(earth.db, 50), 10_000);
    await using stack = new AsyncDisposableStack();
    const began = performance.now();
    const workers = await Promise.all(
      [first, second, first, second].map(({ privateUrl }) => startNullWorker({ earth, privateUrl, atOnce: 20 })),
    );
    for (const worker of workers) stack.use(worker);
    await drained(earth.db, jobs, 900_000);
    const seconds = (performance.now() - began) / 1000;
    await assertDoneOnce(earth.db, jobs);
    const done = workers.flatMap(({ completed }) => completed);
    assert.equal(new Set(done).size, 10_000);
    test.diagnostic(
      `10,000 jobs in ${seconds.toFixed(1)} s, ${workers.map(({ completed }) => completed.length).join(" + ")}`,
    );
  });
});
