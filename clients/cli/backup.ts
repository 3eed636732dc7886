// `xvault backup start`: starts a backup now and, if asked, watches it to its end.
import type { ApiClient } from "../api/connect.ts";
import { getJob, startBackup as startBackupMutation } from "../api/jobs.ts";
import { getSnapshot } from "../api/snapshots.ts";
import { bytesText, durationText, plural, printable } from "./figures.ts";
import { followJob } from "./follow-job.ts";
import { openSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";

const warningsShown = 10;

export async function startBackup(
  terminal: Terminal,
  sourceId: string,
  { watch }: { readonly watch?: boolean },
): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const api = await openSession(terminal);
  const { job } = await api.mutate(startBackupMutation, { sourceId }, { signal });
  if (!watch) {
    stdout.write(`${job.id}\n`);
    return;
  }
  const title = `Backup of ${job.source?.name ?? sourceId}`;
  await followJob(api, { ...terminal, jobId: job.id, title, output: stderr });
  await report(api, job.id, terminal);
}

/** What was made, on standard output; what to know about it, besides. */
async function report(api: ApiClient, jobId: string, { stdout, stderr, signal }: Terminal): Promise<void> {
  const { job } = await api.query(getJob, { jobId }, { signal });
  const { snapshot } = await api.query(getSnapshot, { snapshotId: job?.snapshot?.id ?? "" }, { signal });
  if (!snapshot) return;
  const { plainBytes, storedBytes, fileCount, durationMs, warnings } = snapshot;
  const sizes = `${bytesText(Number(plainBytes))}, ${bytesText(Number(storedBytes))} stored`;
  stdout.write(`${snapshot.id}  ${plural(fileCount, "file")}, ${sizes}, ${durationText(durationMs)}\n`);
  for (const { path, message } of warnings.slice(0, warningsShown))
    stderr.write(`Warning: ${printable(path)}: ${printable(message)}\n`);
  if (warnings.length > warningsShown)
    stderr.write(`… and ${plural(warnings.length - warningsShown, "more warning")}.\n`);
}
