// Claim: an SSH source in 0.75 of the time of the shell pipe that people use today.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stageOpenSsh } from "../../test/stage/peers/openssh.ts";
import type { BenchOptions } from "../main.ts";
import { copyRealFiles } from "../real-files.ts";
import { measureShell, takeTurns } from "../turns.ts";
import { pull } from "./pull.ts";
import { benchRecipient } from "./recipient.ts";
import { sshCommand, sshSource } from "./ssh-site.ts";

const run = promisify(execFile);

export async function sshFiles({ sizeMB, turns }: BenchOptions): Promise<void> {
  await using sshd = await stageOpenSsh();
  const scratch = await mkdtemp("/var/tmp/xvault-bench-");
  try {
    const { files, bytes } = await copyRealFiles(sshd.data, sizeMB, join(scratch, "list"));
    await run("chown", ["-R", `${sshd.owner.uid}`, sshd.data]);
    process.stdout.write(`${files} files of /usr, ${(bytes / 1e6).toFixed(0)} MB, ${turns} turns of each side\n`);
    const recipient = await benchRecipient();
    const target = join(scratch, "pipe.age");
    const line = `${sshCommand(sshd)} tar -C ${sshd.data} -c . | zstd -q -3 | age -r ${recipient} > ${target} && sync ${target}`;
    await takeTurns({
      ours: { name: "xVault, ssh source, sealed", run: () => pull(sshSource("SSH", sshd), { recipient }) },
      theirs: { name: "ssh tar -c | zstd -3 | age -r", run: () => measureShell(line) },
      turns,
      goal: 0.75,
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
