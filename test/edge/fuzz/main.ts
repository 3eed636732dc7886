// `npm run fuzz -- [--seed S] [--documents N] [--frames N]`: torments a hub, and fails where it breaks, blames itself or grows.

import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Findings, keptBytes, loggedFaults, mostKept, stageFuzzedHub } from "./ground.ts";
import { sendDocuments } from "./send-documents.ts";
import { sendFrames } from "./send-frames.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    documents: { type: "string", default: "10000" },
    frames: { type: "string", default: "5000" },
  },
});
const seed = Number(values.seed);
setFlagsFromString("--expose-gc");
globalThis.gc = runInNewContext("gc");

const say = (text: string) => process.stdout.write(`${text}\n`);
const megabytes = (bytes: number) => Math.round(bytes / 1_000_000);
const failed: string[] = [];
await using fuzzed = await stageFuzzedHub();
say(`seed ${seed}`);

async function run(
  name: string,
  work: (seed: number, count: number) => Promise<Findings>,
  count: number,
): Promise<void> {
  // What grows at first, such as caches, is not what is looked for.
  await work(seed + 1, Math.ceil(count / 5));
  const [before, began] = [keptBytes(), performance.now()];
  const { faults, answers } = await work(seed, count);
  const grown = keptBytes() - before;
  const seconds = (performance.now() - began) / 1_000;
  say(
    `${name}: ${count} in ${seconds.toFixed(1)} s, memory held ${megabytes(before)} MB and ${megabytes(grown)} MB more after it`,
  );
  say(`  ${JSON.stringify(answers)}`);
  failed.push(...faults);
  if (grown > mostKept) failed.push(`${name}: memory grew by ${megabytes(grown)} MB`);
}

await run("documents", (from, count) => sendDocuments(fuzzed, from, count), Number(values.documents));
await run("frames", (from, count) => sendFrames(fuzzed, from, count), Number(values.frames));
failed.push(...loggedFaults(fuzzed.hub));
for (const fault of failed) say(fault);
say(failed.length === 0 ? "nothing broke" : `${failed.length} faults`);
process.exitCode = failed.length === 0 ? 0 : 1;
