// Claim: a whole backup over SFTP, from the order to the committed, read-back snapshot, against the shell pipe that people use today.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { stageSite } from "../test/stage/backed-up-site.ts";
import { deleteAtOnce, jobEnd, startJob } from "../test/stage/tenant.ts";
import { tree } from "../test/stage/tree.ts";
import type { BenchOptions } from "./main.ts";
import { copyRealFiles } from "./real-files.ts";
import { watchMemory } from "./resident-memory.ts";
import { measureShell, takeTurns } from "./turns.ts";

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
    await takeTurns({
      ours: { name: "xVault over SFTP", run: () => backUp(site) },
      theirs: {
        name: "ssh tar -c | zstd -3 | age -r",
        run: () => shellPipe(site, recipient, join(scratch, "pipe.age")),
      },
      turns,
      goal: null,
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Site = Awaited<ReturnType<typeof stageSite>>;

async function backUp({ hub, acme, sourceId, worker }: Site) {
  const memory = watchMemory(worker.child.pid ?? 0);
  const start = performance.now();
  const job = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId), 600_000);
  const seconds = (performance.now() - start) / 1000;
  const peakMB = memory.stop();
  if (job.status !== "COMPLETED") throw new Error(`the backup ended ${job.status}: ${job.errorMessage}`);
  await deleteAtOnce(hub);
  await jobEnd(acme.ask, await startJob(acme.ask, "deleteSnapshot", job.snapshot.id));
  return { seconds, peakMB };
}

async function shellPipe({ sshd }: Site, recipient: string, target: string) {
  const ssh = `ssh -n -q -p ${sshd.port} -i ${sshd.files}/id -o UserKnownHostsFile=${sshd.files}/known_hosts ${sshd.username}@${sshd.host}`;
  const line = `${ssh} tar -C ${sshd.data} -c . | zstd -q -3 | age -r ${recipient} > ${target} && sync ${target}`;
  const measured = await measureShell(line);
  await rm(target);
  return measured;
}
