// Kills, stops and ends whatever runs, every five to fifteen seconds, as a seed has it.
import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../edge/fuzz/random.ts";
import type { Supervised } from "../kit/supervisor.ts";
import type { SoakStack } from "./stack.ts";

interface Blow {
  readonly name: string;
  /** Resolves when the victim may go on. */
  strike(signal: AbortSignal): Promise<void>;
}

export interface Mayhem {
  /** How often each was done. */
  readonly blows: ReadonlyMap<string, number>;
  /** Resolves when everybody may go on. */
  stop(): Promise<void>;
}

/** Longer than a lease at the longest, so that some come back to find theirs gone. */
const longestStopMs = 14_000;

export function wreakHavoc(stack: SoakStack, random: Random, say: (line: string) => void): Mayhem {
  const blows = new Map<string, number>();
  const ending = new AbortController();
  const { signal } = ending;
  const under = new Set<Promise<void>>();
  const wait = (ms: number) => pause(ms, undefined, { signal }).catch(() => undefined);

  async function run(): Promise<void> {
    for (;;) {
      await wait(5_000 + random.below(10_000));
      if (signal.aborted) return;
      const blow = random.pick(blowsOf(stack, random, wait));
      blows.set(blow.name, (blows.get(blow.name) ?? 0) + 1);
      say(blow.name);
      const striking = blow.strike(signal).finally(() => under.delete(striking));
      under.add(striking);
    }
  }
  const running = run();
  return {
    blows,
    async stop() {
      ending.abort();
      await running;
      await Promise.all(under);
    },
  };
}

function blowsOf(stack: SoakStack, random: Random, wait: (ms: number) => Promise<void>): Blow[] {
  const { postgres, earth, hubs, workers, restore } = stack;
  const someWhile = (longestMs: number) => wait(500 + random.below(longestMs));
  const ends = (kind: string, victim: Supervised): Blow[] => [
    { name: `SIGKILL ${kind}`, strike: async () => victim.send("SIGKILL") },
    { name: `SIGTERM ${kind}`, strike: async () => victim.send("SIGTERM") },
    {
      name: `SIGSTOP ${kind}`,
      async strike() {
        victim.send("SIGSTOP");
        await someWhile(longestStopMs);
        victim.send("SIGCONT");
      },
    },
  ];
  const worker = random.pick(workers);
  return [
    ...ends("hub", random.pick(hubs)),
    ...ends("worker", worker),
    // Workers are what there is most of.
    ...ends("worker", worker),
    ...ends("restore", restore),
    {
      name: "crash Redis",
      async strike() {
        await earth.redis.stop();
        await someWhile(5_000);
        await earth.redis.start();
      },
    },
    { name: "empty Redis", strike: () => earth.redis.flushAll().catch(() => undefined) },
    {
      name: "crash Postgres",
      async strike() {
        await postgres.crash();
        await someWhile(3_000);
        await postgres.start();
      },
    },
    {
      name: "hold Postgres",
      async strike() {
        await postgres.pause().catch(() => undefined);
        await someWhile(6_000);
        await postgres.resume().catch(() => undefined);
      },
    },
  ];
}
