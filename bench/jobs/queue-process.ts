// One queue in a process of its own, so that its memory is its own: takes jobs in and sees them through, as often as it is told.
import { startGraphileWorker } from "./graphile-worker.ts";
import { startOurs } from "./ours.ts";
import { startPgBoss } from "./pg-boss.ts";
import type { QueueSide } from "./queue-side.ts";

const sides = { ours: startOurs, graphileWorker: startGraphileWorker, pgBoss: startPgBoss } as const;

export interface QueueOrder {
  readonly side: keyof typeof sides;
  readonly databaseUrl: string;
}

/** Seconds of each half. */
export interface QueueTurn {
  readonly enqueue: number;
  readonly drain: number;
  /** Of this process. */
  readonly cpu: number;
}

let side: QueueSide;

async function takeTurn(count: number): Promise<QueueTurn> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await side.enqueue(count);
  const between = performance.now();
  await side.drain(count);
  const end = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  const left = await side.left();
  if (left !== 0) throw new Error(`${left} jobs are left over`);
  return { enqueue: (between - start) / 1000, drain: (end - between) / 1000, cpu: (user + system) / 1e6 };
}

process.on("message", async (message: QueueOrder | number) => {
  if (typeof message === "number") {
    process.send?.(await takeTurn(message));
    return;
  }
  side = await sides[message.side](message.databaseUrl);
  process.send?.("ready");
});
process.once("disconnect", () => process.exit());
