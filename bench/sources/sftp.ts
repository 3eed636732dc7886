// Claims: many small files over SFTP three times as fast as rclone, near and far, and one large file at twice the rate of OpenSSH's sftp.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { stageFaultProxy } from "../../test/stage/fault-proxy.ts";
import { type StagedOpenSsh, stageOpenSsh } from "../../test/stage/peers/openssh.ts";
import { seededBytes, smallFiles, writeTree } from "../../test/stage/tree.ts";
import type { BenchOptions } from "../main.ts";
import { measureShell, takeTurns } from "../turns.ts";
import { pull } from "./pull.ts";
import { benchRecipient } from "./recipient.ts";
import { identityOf, sshSource } from "./ssh-site.ts";

const files = 10_000;
const third = 1 / 3;
const mebibyte = 1024 ** 2;

export async function sftpSmallFiles({ turns }: BenchOptions): Promise<void> {
  await using sshd = await stageSmallFiles();
  process.stdout.write(`${files} files of 4 kB, ${turns} turns of each side\n`);
  await againstRclone(sshd, sshd.port, turns);
}

/** Ten milliseconds each way. */
export async function sftpFarAway({ turns }: BenchOptions): Promise<void> {
  await using sshd = await stageSmallFiles();
  await using proxy = await stageFaultProxy(sshd, { delayMs: 10 });
  process.stdout.write(`${files} files of 4 kB, 20 ms of round trip, ${turns} turns of each side\n`);
  await againstRclone(sshd, proxy.port, turns);
}

export async function sftpLargeFile({ sizeMB, turns }: BenchOptions): Promise<void> {
  await using sshd = await stageOpenSsh();
  await using file = await open(join(sshd.data, "big.bin"), "w", 0o644);
  const noise = seededBytes(8 * mebibyte, "big");
  for (let written = 0; written < sizeMB * 1e6; written += noise.length) await file.write(noise);
  process.stdout.write(`one file of ${sizeMB} MB, read and discarded, ${turns} turns of each side\n`);
  const theirs = `sftp -q -P ${sshd.port} ${identityOf(sshd)} ${sshd.username}@${sshd.host}:${sshd.data}/big.bin /dev/null`;
  await takeTurns({
    ours: { name: "xVault, sftp source, discarded", run: () => pull(sshSource("SFTP", sshd), { recipient: null }) },
    theirs: { name: "sftp, to /dev/null", run: () => measureShell(theirs) },
    turns,
    goal: 0.5,
  });
}

async function stageSmallFiles(): Promise<StagedOpenSsh> {
  const sshd = await stageOpenSsh();
  await writeTree(sshd.data, smallFiles(files, { bytes: 4000 }), { owner: sshd.owner });
  return sshd;
}

async function againstRclone(sshd: StagedOpenSsh, port: number, turns: number): Promise<void> {
  const recipient = await benchRecipient();
  const options = [
    `--sftp-host ${sshd.host} --sftp-port ${port} --sftp-user ${sshd.username} --sftp-key-file ${sshd.files}/id`,
    "--sftp-shell-type unix --sftp-md5sum-command none --sftp-sha1sum-command none --config /dev/null --transfers 8 --quiet",
  ].join(" ");
  const target = "$(mktemp -d /var/tmp/xvault-bench-XXXXXX)";
  const line = `t=${target} && trap 'rm -rf "$t"' EXIT && rclone copy ${options} :sftp:${sshd.data} "$t"`;
  await takeTurns({
    ours: {
      name: "xVault, sftp source, sealed",
      run: () => pull(sshSource("SFTP", sshd, { port }), { recipient, files }),
    },
    theirs: { name: "rclone copy, 8 transfers", run: () => measureShell(line) },
    turns,
    goal: third,
  });
}
