// Claim: however large a file is, the worker that backs it up stays under 300 MB.
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stageSite } from "../test/stage/backed-up-site.ts";
import { jobEnd, startJob } from "../test/stage/tenant.ts";
import { seededBytes, tree } from "../test/stage/tree.ts";
import type { BenchOptions } from "./main.ts";

const goalMB = 300;
const mebibyte = 1024 ** 2;

/** One file of `--size` MB over a staged sshd, by a real worker; prints its peak memory, and fails where it is over the goal. */
export async function largeFile({ sizeMB }: BenchOptions): Promise<void> {
  await using site = await stageSite(tree({ "index.html": "hello" }));
  await writeBigFile(join(site.sshd.data, "big.bin"), sizeMB * 1e6);
  const idleMB = await peakMB(site.worker.child.pid);
  const start = performance.now();
  const job = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", site.sourceId), 600_000);
  const seconds = (performance.now() - start) / 1000;
  if (job.status !== "COMPLETED") throw new Error(`the backup ended ${job.status}: ${job.errorMessage}`);
  const peak = await peakMB(site.worker.child.pid);
  process.stdout.write(
    `${sizeMB} MB in ${seconds.toFixed(1)} s; peak memory of the worker ${peak} MB, before it ${idleMB} MB\n`,
  );
  if (peak < goalMB) return;
  process.stdout.write(`The goal of ${goalMB} MB is not reached.\n`);
  process.exitCode = 1;
}

async function peakMB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

/** Half of it can be compressed, as real files can. */
async function writeBigFile(path: string, bytes: number): Promise<void> {
  await using file = await open(path, "w", 0o644);
  const noise = seededBytes(8 * mebibyte, "big");
  const text = Buffer.alloc(8 * mebibyte, "All work and no play makes a dull backup. ");
  for (let written = 0; written < bytes; written += noise.length + text.length) {
    await file.write(noise);
    await file.write(text);
  }
}
