// Backs a source up before a deployment, with an API key of the role MEMBER, and fails the pipeline where that fails:
//   XVAULT_URL=https://vault.example.com/graphql XVAULT_API_KEY=xva_… node clients/api/examples/api-key.ts src_…
import { connectApi } from "../connect.ts";
import { startBackup } from "../jobs.ts";

const { XVAULT_URL: url = "", XVAULT_API_KEY: token } = process.env;
const [sourceId = ""] = process.argv.slice(2);
const api = connectApi({ url, token });

let status = "";
const { job } = await api.mutate(startBackup, { sourceId });
for await (const step of api.watchJob(job.id)) status = step.job.status;
process.stdout.write(`backup ${status}\n`);
process.exitCode = status === "COMPLETED" ? 0 : 1;
