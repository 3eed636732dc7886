// Subscribers that come at random moments of a job's life, again and again: each sees the job as it stands, and then all that follows.
import { setTimeout as pause } from "node:timers/promises";
import { leaseOf, playWorker, testedSource } from "../../private/played-worker.ts";
import type { StagedHub } from "../../stage/hub.ts";
import { stageTenant, startJob } from "../../stage/tenant.ts";
import { watchOverSse, watchOverWebSocket } from "../../stage/watch.ts";
import { assertWholeSteps } from "./whole.ts";

export interface Races {
  readonly races: number;
  readonly atOnce: number;
  readonly seed: number;
}

/** Throws where somebody missed something, saw it twice, or is still waiting after a minute. */
export async function raceSubscribers(hub: StagedHub, { races, atOnce, seed }: Races): Promise<void> {
  const random = randomFrom(seed);
  const acme = await stageTenant(hub);
  const worker = await playWorker(hub);
  const sources: string[] = [];
  while (sources.length < atOnce) sources.push(await testedSource(acme, worker));
  let left = races;

  async function race(sourceId: string): Promise<void> {
    const jobId = await startJob(acme.ask, "testSource", sourceId);
    const watching = [watchOverWebSocket, watchOverSse, watchOverWebSocket].map(async (watch) => {
      await pause(random() * 60);
      return Promise.race([watch(hub.graphqlUrl, acme.token, jobId), pause(60_000, null, { ref: false })]);
    });
    const job = await worker.take("TEST_SOURCE");
    await pause(random() * 20);
    await worker.api.enterPhase({ ...leaseOf(job), phase: "PULLING" });
    await pause(random() * 20);
    await worker.api.completeJob({ ...leaseOf(job), findings: {} });
    for (const steps of await Promise.all(watching)) {
      if (steps === null) throw new Error(`job ${jobId} has ended, and its watcher waits`);
      assertWholeSteps(steps);
    }
  }

  // Whoever takes a job may take that of another race: it is the same to its watchers.
  await Promise.all(
    sources.map(async (sourceId) => {
      while (left-- > 0) await race(sourceId);
    }),
  );
}

/** Mulberry32: the same numbers for the same seed, each from 0 up to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
