// Claim: a whole backup over SFTP, from the order to the committed, read-back snapshot, against the shell pipe that people use today.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { stageSite } from "../test/stage/backed-up-site.ts";
import { jobEnd, startJob } from "../test/stage/tenant.ts";
import { tree } from "../test/stage/tree.ts";
import { report, type Side } from "./figures.ts";
import type { BenchOptions } from "./main.ts";
import { copyRealFiles } from "./real-files.ts";
import { watchMemory } from "./resident-memory.ts";

const run = promisify(execFile);

/** Both sides read the same tree from the same sshd and write to the same disk; ours also reads back what it wrote. */
export async function pipe({ sizeMB, turns }: BenchOptions): Promise<void> {
  await using site = await stageSite(tree({ "index.html": "hello" }));
  const scratch = await mkdtemp("/var/tmp/xvault-bench-");
  try {
    const { files, bytes } = await copyRealFiles(site.sshd.data, sizeMB, join(scratch, "list"));
    await run("chown", ["-R", `${site.sshd.owner.uid}`, site.sshd.data]);
    process.stdout.write(`${files} files of /usr, ${(bytes / 1e6).toFixed(0)} MB, ${turns} turns of each side\n`);
    const recipient = await identityToRecipient(await generateX25519Identity());
    const ours = { name: "xVault over SFTP", seconds: [] as number[], peakMB: [] as number[] } satisfies Side;
    const theirs = {
      name: "ssh tar -c | zstd -3 | age -r",
      seconds: [] as number[],
      peakMB: [] as number[],
    } satisfies Side;
    for (let turn = 0; turn <= turns; turn++) {
      const [mine, other] = [await backUp(site), await shellPipe(site, recipient, join(scratch, "pipe.age"))];
      // The first turn of each warms the page cache and does not count.
      if (turn === 0) continue;
      for (const [side, measured] of [
        [ours, mine],
        [theirs, other],
      ] as const) {
        side.seconds.push(measured.seconds);
        side.peakMB.push(measured.peakMB);
      }
      process.stdout.write(`turn ${turn}: ${mine.seconds.toFixed(2)} s, ${other.seconds.toFixed(2)} s\n`);
    }
    process.stdout.write(report(ours, theirs));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Site = Awaited<ReturnType<typeof stageSite>>;

async function backUp({ acme, sourceId, worker }: Site) {
  const memory = watchMemory(worker.child.pid ?? 0);
  const start = performance.now();
  const job = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId), 600_000);
  const seconds = (performance.now() - start) / 1000;
  const peakMB = memory.stop();
  if (job.status !== "COMPLETED") throw new Error(`the backup ended ${job.status}: ${job.errorMessage}`);
  await jobEnd(acme.ask, await startJob(acme.ask, "deleteSnapshot", job.snapshot.id));
  return { seconds, peakMB };
}

async function shellPipe({ sshd }: Site, recipient: string, target: string) {
  const ssh = `ssh -n -q -p ${sshd.port} -i ${sshd.files}/id -o UserKnownHostsFile=${sshd.files}/known_hosts ${sshd.username}@${sshd.host}`;
  const script = `set -o pipefail; ${ssh} tar -C ${sshd.data} -c . | zstd -q -3 | age -r ${recipient} > ${target} && sync ${target}`;
  const start = performance.now();
  const shell = spawn("bash", ["-c", script], { stdio: ["ignore", "inherit", "inherit"] });
  const memory = watchMemory(shell.pid ?? 0);
  const [code] = await once(shell, "exit");
  const seconds = (performance.now() - start) / 1000;
  const peakMB = memory.stop();
  if (code !== 0) throw new Error(`the pipe ended with ${code}`);
  await rm(target);
  return { seconds, peakMB };
}
