// `xvault jobs cancel` and `retry`: stops a job, or does again what failed.
import { cancelJob, retryJob } from "../../api/jobs.ts";
import { followJob } from "../follow-job.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

export async function cancel(terminal: Terminal, jobId: string): Promise<void> {
  const api = await openSession(terminal);
  const { job } = await api.mutate(cancelJob, { jobId }, { signal: terminal.signal });
  terminal.stdout.write(`${jobId} ${job.status === "CANCELED" ? "is canceled" : "is asked to stop"}.\n`);
}

export async function retry(terminal: Terminal, jobId: string, { watch }: { readonly watch?: boolean }): Promise<void> {
  const api = await openSession(terminal);
  const { job } = await api.mutate(retryJob, { jobId }, { signal: terminal.signal });
  terminal.stdout.write(`${job.id}\n`);
  if (!watch) return;
  await followJob(api, { ...terminal, jobId: job.id, title: `Retry of ${jobId}`, output: terminal.stderr });
}
