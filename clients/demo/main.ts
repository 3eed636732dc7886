// `npm run demo`: the whole of xVault on this machine, once around: back up, restore, compare, and leave no trace.
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CommandError, exitCodes, failureOf, reasonOf } from "../cli/failure.ts";
import { durationText, printable } from "../cli/figures.ts";
import { displayConfig } from "./config.ts";
import { backUp, bringBack, compareWithOriginal } from "./round-trip.ts";
import { startSampleHost } from "./sample-host.ts";
import { makeSampleTree } from "./sample-tree.ts";
import { setUp } from "./set-up.ts";
import { startStack } from "./stack.ts";
import { type Stage, tick } from "./stage.ts";
import { closingText, keptText } from "./summary.ts";
import { throwAwayDirectory } from "./throw-away-directory.ts";

interface Wish {
  /** What to back up; a sample where nothing is named. */
  readonly path?: string | undefined;
  readonly keep: boolean;
}

const usage = "Usage: npm run demo [-- [--path DIR] [--keep]]";

async function readWish(args: readonly string[]): Promise<Wish> {
  const options = { path: { type: "string" }, keep: { type: "boolean", default: false } } as const;
  let values: { path?: string | undefined; keep: boolean };
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (cause) {
    throw new CommandError(usage, { cause, exitCode: exitCodes.usage });
  }
  if (values.path === undefined) return values;
  const path = resolve(values.path);
  const stats = await stat(path).catch((cause: unknown) => {
    throw new CommandError(`${path} cannot be backed up: ${reasonOf(cause)}.`, { cause, exitCode: exitCodes.usage });
  });
  if (!stats.isDirectory()) throw new CommandError(`${path} is no directory. ${usage}`, { exitCode: exitCodes.usage });
  return { ...values, path };
}

async function runDemo(stage: Stage, { path, keep }: Wish): Promise<void> {
  const begunMs = performance.now();
  await using directory = await throwAwayDirectory();
  stage.output.write("Bringing up Postgres, Redis, a hub, a worker and a restore service …\n");
  await using stack = await startStack(directory.path, stage.signal);
  tick(stage, `up in ${durationText(performance.now() - begunMs)}, with data in ${stack.ready.home}`);
  const original = path ?? (await sampleIn(directory.path));
  await using host = await startSampleHost(original, directory.path, stage.signal);
  tick(stage, `SFTP server over ${path === undefined ? "a sample tree" : printable(path)} at port ${host.ready.port}`);
  try {
    const customer = await setUp(stage, stack.ready, host.ready);
    const snapshot = await backUp(stage, customer);
    await using restored = await throwAwayDirectory();
    const tarFile = await bringBack(stage, customer, { snapshotId: snapshot.id, directory: restored.path });
    await compareWithOriginal(stage, { original, tarFile, directory: restored.path });
    const { storageBase } = stack.ready;
    const elapsedMs = performance.now() - begunMs;
    stage.output.write(await closingText({ snapshot, storageBase, elapsedMs, keep }));
  } finally {
    if (keep && !stage.signal.aborted) {
      await Promise.all([stack.stay(), host.stay()]);
      directory.keep();
      const processes = [stack.pid, host.pid];
      stage.output.write(keptText({ stack: stack.ready, directory: directory.path, processes }));
    }
  }
}

async function sampleIn(directory: string): Promise<string> {
  const root = join(directory, "sample");
  await mkdir(root, { mode: 0o700 });
  await makeSampleTree(root);
  return root;
}

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => interrupted.abort());
const { signal } = interrupted;
try {
  await runDemo({ output: process.stdout, ...displayConfig(), signal }, await readWish(process.argv.slice(2)));
} catch (error) {
  const { sentence, exitCode } = signal.aborted
    ? { sentence: "Interrupted; nothing is left behind.", exitCode: exitCodes.interrupted }
    : failureOf(error, signal);
  process.stderr.write(`${sentence}\n`);
  process.exitCode = exitCode;
}
