// `xvault sources test`: connects to a source and says what is found there, or what to change.
import type { ApiClient } from "../../api/connect.ts";
import { getJob } from "../../api/jobs.ts";
import { testSource as testSourceMutation } from "../../api/sources.ts";
import { followJob } from "../follow-job.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { type Findings, parseFindings, printFindings } from "./findings.ts";

export async function testSource(terminal: Terminal, sourceId: string): Promise<void> {
  const { signal, stdout } = terminal;
  const api = await openSession(terminal);
  const { job } = await api.mutate(testSourceMutation, { sourceId }, { signal });
  const found = await findingsOf(api, job.id, `Test of ${sourceId}`, terminal);
  stdout.write("The source can be backed up.\n");
  printFindings(stdout, found);
}

/** Waits for the test to end. Throws `CommandError` with the reason where it failed. */
export async function findingsOf(api: ApiClient, jobId: string, title: string, terminal: Terminal): Promise<Findings> {
  await followJob(api, { ...terminal, jobId, title, output: terminal.stderr });
  const { job } = await api.query(getJob, { jobId }, { signal: terminal.signal });
  return parseFindings(job?.findings);
}
