// graphile-worker with the settings of its own performance test: 24 jobs at once, a local queue of 500, completions in batches.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { inBatches, payload, type QueueSide } from "./queue-side.ts";

const logger = new Logger(() => () => {});
const settings = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

export async function startGraphileWorker(connectionString: string): Promise<QueueSide> {
  const pgPool = new pg.Pool({ connectionString, max: settings.maxPoolSize });
  // A connection that breaks shows in whoever was using it.
  pgPool.on("error", () => {});
  pgPool.on("connect", (client) => client.on("error", () => {}));
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  return {
    enqueue: (count) =>
      inBatches(count, (size) => utils.addJobs(Array.from({ length: size }, () => ({ identifier: "null", payload })))),
    async drain(count) {
      let done = 0;
      const all = Promise.withResolvers<void>();
      const runner = await run({
        ...{ pgPool, logger, noHandleSignals: true, parsedCronItems: [] },
        preset: { worker: settings },
        taskList: {
          null: () => {
            if (++done === count) all.resolve();
          },
        },
      });
      await Promise.race([all.promise, runner.promise]);
      // What is left of the completions is written down before this resolves.
      await runner.stop();
    },
    async left() {
      const { rows } = await pgPool.query<{ left: number }>("SELECT count(*)::int AS left FROM graphile_worker.jobs");
      return rows[0]?.left ?? Number.NaN;
    },
    async [Symbol.asyncDispose]() {
      await utils.release();
      await pgPool.end();
    },
  };
}
