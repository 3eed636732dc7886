// Claim by claim, every source against the program that people use in its place.

import type { BenchOptions } from "./main.ts";
import { mysqlDump, postgresDump } from "./sources/dumps.ts";
import { sftpFarAway, sftpLargeFile, sftpSmallFiles } from "./sources/sftp.ts";
import { sshFiles } from "./sources/ssh.ts";

const parts = {
  ssh: sshFiles,
  "sftp-small": sftpSmallFiles,
  "sftp-far": sftpFarAway,
  "sftp-large": sftpLargeFile,
  postgres: postgresDump,
  mysql: mysqlDump,
} as const satisfies Record<string, (options: BenchOptions) => Promise<void>>;

/** All of them, or the one that `--only` names. */
export async function sources(options: BenchOptions): Promise<void> {
  const chosen = Object.entries(parts).filter(([name]) => options.only === undefined || options.only === name);
  if (chosen.length === 0) throw new Error(`there is no such part; there are ${Object.keys(parts).join(", ")}`);
  for (const [name, run] of chosen) {
    process.stdout.write(`== ${name}\n`);
    await run(options);
  }
}
