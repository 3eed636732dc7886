// The queue itself: as many null jobs put in, claimed and completed by this hub's domain, graphile-worker and pg-boss, in turns.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { stageDatabase } from "../../test/stage/postgres.ts";
import { median } from "../figures.ts";
import { watchMemory } from "../resident-memory.ts";
import { judge } from "../turns.ts";
import type { QueueOrder, QueueTurn } from "./queue-process.ts";

interface Side {
  readonly name: string;
  readonly pid: number;
  readonly run: (count: number) => Promise<QueueTurn>;
  readonly turns: QueueTurn[];
  peakMB: number;
}

const names: Record<QueueOrder["side"], string> = {
  ours: "xVault, with log, bell and audit of each",
  graphileWorker: "graphile-worker",
  pgBoss: "pg-boss",
};

/** Jobs a second of the better of both peers. */
export async function queue({ jobs, turns }: { jobs: number; turns: number }): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const sides: Side[] = [];
  for (const side of Object.keys(names) as QueueOrder["side"][]) {
    const { url: databaseUrl } = stack.use(await stageDatabase({ migrated: side === "ours" }));
    sides.push(await startSide({ side, databaseUrl }, stack));
  }
  const { url } = stack.use(await stageDatabase({ migrated: false }));
  const checkpointer = stack.adopt(new pg.Pool({ connectionString: url, max: 1 }), (pool) => pool.end());
  // The first turn of each warms it up and does not count.
  for (let turn = 0; turn <= turns; turn++)
    for (const side of sides) {
      // Nobody writes down what others have left.
      await checkpointer.query("CHECKPOINT");
      const memory = watchMemory(side.pid);
      const measured = await side.run(jobs);
      side.peakMB = Math.max(side.peakMB, memory.stop());
      if (turn > 0) side.turns.push(measured);
    }
  process.stdout.write(`${jobs} jobs put in, claimed and completed; medians of ${turns} turns\n`);
  for (const side of sides) process.stdout.write(rowOf(side, jobs));
  const [ours = Number.NaN, ...peers] = sides.map((side) => perSecond(side, jobs));
  const better = Math.max(...peers);
  judge(`${(ours / better).toFixed(2)} times the jobs of the better peer`, ours >= better, "at least 1");
  return better;
}

async function startSide(order: QueueOrder, stack: AsyncDisposableStack): Promise<Side> {
  const child = fork(fileURLToPath(new URL("queue-process.ts", import.meta.url)), {
    env: { ...process.env, NODE_ENV: "production" },
    execArgv: [],
  });
  stack.defer(async () => {
    const end = once(child, "exit");
    child.disconnect();
    await end;
  });
  const answer = async () => {
    const [said] = await Promise.race([once(child, "message"), once(child, "exit")]);
    if (typeof said === "number") throw new Error(`${order.side} ended with ${said}`);
    return said;
  };
  child.send(order);
  await answer();
  return {
    name: names[order.side],
    pid: child.pid ?? 0,
    run: (count) => {
      child.send(count);
      return answer();
    },
    turns: [],
    peakMB: 0,
  };
}

function perSecond({ turns }: Side, jobs: number): number {
  return jobs / median(turns.map(({ enqueue, drain }) => enqueue + drain));
}

function rowOf(side: Side, jobs: number): string {
  const rate = (of: (turn: QueueTurn) => number) => (jobs / median(side.turns.map(of))).toFixed(0).padStart(6);
  const cpu = median(side.turns.map((turn) => turn.cpu)).toFixed(2);
  return `${side.name.padEnd(42)}${perSecond(side, jobs).toFixed(0).padStart(6)} jobs/s   in ${rate(({ enqueue }) => enqueue)}/s   out ${rate(({ drain }) => drain)}/s   ${cpu} s of its processor   peak ${side.peakMB.toFixed(0)} MB\n`;
}
