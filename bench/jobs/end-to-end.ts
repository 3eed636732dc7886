// All of the way: jobs queued with their bells, rung through Redis, claimed and completed over GraphQL by workers that do nothing else.
import { stageEarth, stageHubProcess } from "../../test/faults/kit/hub-process.ts";
import { assertDoneOnce, drained, makeTenants, queueNullJobs } from "../../test/faults/kit/null-jobs.ts";
import { startNullWorker } from "../../test/faults/kit/null-worker.ts";
import { median } from "../figures.ts";
import { watchMemory } from "../resident-memory.ts";
import { judge } from "../turns.ts";

const goal = 0.3;

/** `better`: jobs a second of the better peer's queue alone. */
export async function endToEnd({
  jobs,
  turns,
  better,
}: {
  jobs: number;
  turns: number;
  better: number;
}): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const earth = stack.use(await stageEarth());
  const env = { NODE_ENV: "production", LOG_LEVEL: "warn" };
  const hubs = [stack.use(await stageHubProcess(earth, { env })), stack.use(await stageHubProcess(earth, { env }))];
  for (const { privateUrl } of [...hubs, ...hubs]) stack.use(await startNullWorker({ earth, privateUrl, atOnce: 100 }));
  const tenants = await makeTenants(earth.db, 50);
  const rates: number[] = [];
  const peaksMB: number[] = [];
  // The first turn warms up and does not count.
  for (let turn = 0; turn <= turns; turn++) {
    const memory = hubs.map(({ child }) => watchMemory(child.pid ?? 0));
    const start = performance.now();
    const ids = await queueNullJobs(earth.db, tenants, jobs);
    await drained(earth.db, ids, 600_000);
    const seconds = (performance.now() - start) / 1000;
    peaksMB.push(...memory.map((each) => each.stop()));
    await assertDoneOnce(earth.db, ids);
    if (turn > 0) rates.push(jobs / seconds);
  }
  const rate = median(rates);
  process.stdout.write(
    `two hubs, four workers with doorbells: ${rate.toFixed(0)} jobs/s (${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}), peak ${Math.max(...peaksMB).toFixed(0)} MB a hub\n`,
  );
  judge(`${(rate / better).toFixed(2)} times the better peer's queue alone`, rate >= goal * better, `at least ${goal}`);
}
