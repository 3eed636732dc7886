// Backs a source up, and follows it live to its end, through broken connections and tokens that end:
//   node clients/api/examples/back-up.ts session.json src_…
import { connectApi } from "../connect.ts";
import { getJob, startBackup } from "../jobs.ts";
import { resumeSession } from "../session.ts";
import { sessionFile } from "../session-file.ts";

const [file = "", sourceId = ""] = process.argv.slice(2);
const session = await resumeSession({ store: sessionFile(file) });
if (!session) throw new Error("Sign in first.");
const api = connectApi({ url: session.url, session });

const { job } = await api.mutate(startBackup, { sourceId });
// A program that was started again goes on with `{ after: cursor }`.
for await (const { cursor, event, progress } of api.watchJob(job.id)) {
  if (event) process.stdout.write(`${cursor} ${event.kind} ${JSON.stringify(event.facts)}\n`);
  if (progress) process.stdout.write(`${progress.phase} ${progress.filesDone} files, ${progress.bytesDone} bytes\n`);
}

const done = (await api.query(getJob, { jobId: job.id })).job;
process.stdout.write(`${done?.status} ${done?.snapshot?.id ?? done?.errorMessage}\n`);
