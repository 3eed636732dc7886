// Claim: null jobs pass through the queue at least as fast as through graphile-worker and pg-boss on the same Postgres, all of the way
// through doorbell and GraphQL at three tenths of that at least, and what a claim costs does not grow with what is queued.
import { serverVariable, startStagedServer } from "../test/stage/postgres.ts";
import { claimCost } from "./jobs/claim-cost.ts";
import { endToEnd } from "./jobs/end-to-end.ts";
import { queue } from "./jobs/queue.ts";
import type { BenchOptions } from "./main.ts";

/** Parts: `queue`, `all-the-way` (which takes `queue` before it, to compare with), `claim`. */
export async function jobs({ turns, only, jobs: count, queued }: BenchOptions): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const postgres = await startStagedServer({ durable: true });
  stack.defer(() => postgres.stop());
  process.env[serverVariable] = postgres.url;
  if (only !== "claim") {
    const better = await queue({ jobs: count, turns });
    if (only !== "queue") await endToEnd({ jobs: count, turns, better });
  }
  if (only === undefined || only === "claim") await claimCost({ most: queued });
}
