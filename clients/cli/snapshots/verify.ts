// `xvault snapshots verify`: has a snapshot checked where it lies, and says whether it is whole.
import { verifySnapshot } from "../../api/snapshots.ts";
import { followJob } from "../follow-job.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

export interface VerifyOptions {
  /** Opened as well, and compared with its catalogue. */
  readonly content?: boolean;
  readonly watch: boolean;
}

export async function verify(terminal: Terminal, snapshotId: string, { content, watch }: VerifyOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const api = await openSession(terminal);
  const { job } = await api.mutate(
    verifySnapshot,
    { snapshotId, ...(content && { depth: "CONTENT" as const }) },
    { signal },
  );
  if (!watch) {
    stdout.write(`${job.id}\n`);
    return;
  }
  await followJob(api, { ...terminal, jobId: job.id, title: `Check of ${snapshotId}`, output: stderr });
  const found = job.verifyDepth === "CONTENT" ? "opens, and everything in it is as it was" : "is whole";
  stdout.write(`${snapshotId} ${found}.\n`);
}
