// Brings some paths of a snapshot back as a tar file:
//   node clients/api/examples/restore.ts session.json snp_… site.tar etc var/www
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { connectApi } from "../connect.ts";
import { readDownload } from "../download.ts";
import { isFinal } from "../jobs.ts";
import { getRestore, startRestore } from "../restores.ts";
import { resumeSession } from "../session.ts";
import { sessionFile } from "../session-file.ts";

const [file = "", snapshotId = "", out = "", ...selection] = process.argv.slice(2);
const session = await resumeSession({ store: sessionFile(file) });
if (!session) throw new Error("Sign in first.");
const api = connectApi({ url: session.url, session });

// The link is told here and never again; it works once the job is completed, and for one download.
const { restore, downloadUrl } = await api.mutate(startRestore, { snapshotId, form: "TAR", selection });
for await (const { job } of api.watchJob(restore.job.id))
  if (isFinal(job.status) && job.status !== "COMPLETED") throw new Error(job.errorMessage ?? job.status);
await pipeline(readDownload(downloadUrl), createWriteStream(out, { flags: "wx", mode: 0o600 }));

const prepared = (await api.query(getRestore, { restoreId: restore.id })).restore;
process.stdout.write(`${out}: ${prepared?.sizeBytes} bytes\n`);
