// Lets two sides do the same work in turns, in one run, and judges the ratio of their medians by a goal.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { report } from "./figures.ts";
import { watchMemory } from "./resident-memory.ts";

export interface Measured {
  readonly seconds: number;
  /** Of all its processes together. */
  readonly peakMB: number;
}

export interface Contender {
  readonly name: string;
  readonly run: () => Promise<Measured>;
}

export interface Contest {
  readonly ours: Contender;
  readonly theirs: Contender;
  readonly turns: number;
  /** Highest ratio, ours over theirs, that the claim allows. Null: it is only told. */
  readonly goal: number | null;
}

/** The first turn of each warms the page cache and does not count. Says whether the goal was reached, and sets the exit code. */
export async function takeTurns({ ours, theirs, turns, goal }: Contest): Promise<void> {
  const sides = [ours, theirs].map(({ name }) => ({ name, seconds: [] as number[], peakMB: [] as number[] }));
  for (let turn = 0; turn <= turns; turn++) {
    const measured = [await ours.run(), await theirs.run()];
    if (turn === 0) continue;
    for (const [index, { seconds, peakMB }] of measured.entries()) {
      sides[index]?.seconds.push(seconds);
      sides[index]?.peakMB.push(peakMB);
    }
    process.stdout.write(`turn ${turn}: ${measured.map(({ seconds }) => `${seconds.toFixed(3)} s`).join(", ")}\n`);
  }
  const [mine, other] = sides;
  if (!mine || !other) return;
  const { text, ratio } = report(mine, other);
  process.stdout.write(text);
  if (goal !== null) judge(`ratio of medians ${ratio.toFixed(3)}`, ratio <= goal, `at most ${goal}`);
}

/** Says whether a goal was reached; one that was not is the exit code of the whole run. */
export function judge(figure: string, isReached: boolean, goal: string): void {
  process.stdout.write(`${isReached ? "reached" : "NOT REACHED"}: ${figure}, and the goal is ${goal}\n\n`);
  if (!isReached) process.exitCode = 1;
}

/** Runs a program to its end, and throws where that is not a good one. */
export async function measure(file: string, args: readonly string[]): Promise<Measured> {
  const start = performance.now();
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const memory = watchMemory(child.pid ?? 0);
  const [code] = await once(child, "exit");
  const seconds = (performance.now() - start) / 1000;
  const peakMB = memory.stop();
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${said.slice(-500)}`);
  return { seconds, peakMB };
}

/** A line of bash, which fails where any part of a pipe does. */
export function measureShell(line: string): Promise<Measured> {
  return measure("bash", ["-c", `set -o pipefail; ${line}`]);
}
