// Claim of the artifact engine: time for each gigabyte and each entry, and memory, stay what they are however much there is.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { BenchOptions } from "./main.ts";
import { copyRealFiles } from "./real-files.ts";
import { judge, measure } from "./turns.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "..", "clients", "cli", "main.ts");
const steps = [1, 2, 4, 8];
const entryCounts = [1_000, 10_000, 100_000];

/** Seals 1, 2, 4 and 8 times `--size` MB of real files, then trees of more and more tiny files. */
export async function artifactGrowth({ sizeMB }: BenchOptions): Promise<void> {
  const scratch = await mkdtemp("/var/tmp/xvault-bench-");
  try {
    const recipient = await identityToRecipient(await generateX25519Identity());
    const out = join(scratch, "artifact");
    const seal = async (tree: string) => {
      await rm(out, { recursive: true, force: true });
      return measure(program, ["artifact", "seal", tree, "--recipient", recipient, "--out", out]);
    };
    await bySize(join(scratch, "sizes"), sizeMB, seal);
    await byEntries(join(scratch, "entries"), seal);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Seal = (tree: string) => ReturnType<typeof measure>;

async function bySize(tree: string, sizeMB: number, seal: Seal): Promise<void> {
  const peaks: number[] = [];
  const perGB: number[] = [];
  await mkdir(join(tree, "1"), { recursive: true });
  await copyRealFiles(join(tree, "1"), sizeMB, `${tree}.list`);
  await seal(tree);
  for (const step of steps) {
    for (let copy = step / 2 + 1; copy <= step; copy++)
      if (copy > 1) await run("cp", ["-a", join(tree, "1"), join(tree, String(copy))]);
    const { seconds, peakMB } = await seal(tree);
    peaks.push(peakMB);
    perGB.push(seconds / ((step * sizeMB) / 1000));
    process.stdout.write(
      `${step * sizeMB} MB: ${seconds.toFixed(1)} s, ${perGB.at(-1)?.toFixed(2)} s/GB, peak ${peakMB.toFixed(0)} MB\n`,
    );
  }
  const memory = Math.max(...peaks) / (peaks[0] ?? 1);
  judge(`peak memory grows to ${memory.toFixed(2)} of the first`, memory <= 1.2, "at most 1.2");
  const time = Math.max(...perGB) / (perGB[0] ?? 1);
  judge(`time for a gigabyte grows to ${time.toFixed(2)} of the first`, time <= 1.2, "at most 1.2");
  await rm(tree, { recursive: true });
}

async function byEntries(tree: string, seal: Seal): Promise<void> {
  for (const count of entryCounts) {
    await rm(tree, { recursive: true, force: true });
    for (let index = 0; index < count; index += 1000) {
      const folder = join(tree, String(index / 1000));
      await mkdir(folder, { recursive: true });
      for (let file = 0; file < Math.min(1000, count); file++)
        await writeFile(join(folder, String(file)), `${index + file} is a small file\n`);
    }
    const { seconds, peakMB } = await seal(tree);
    const each = (1e6 * seconds) / count;
    process.stdout.write(
      `${count} entries: ${seconds.toFixed(1)} s, ${each.toFixed(0)} µs each, peak ${peakMB.toFixed(0)} MB\n`,
    );
  }
}
