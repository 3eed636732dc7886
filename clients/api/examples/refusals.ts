// What goes wrong is thrown: a refusal of the hub with its code, its sentence and every fault, and anything else as an `ApiError`:
//   node clients/api/examples/refusals.ts session.json
import { ApiError } from "../api-error.ts";
import { connectApi } from "../connect.ts";
import { startBackup } from "../jobs.ts";
import { RefusedError } from "../refusal.ts";
import { resumeSession } from "../session.ts";
import { sessionFile } from "../session-file.ts";
import { createSource } from "../sources.ts";
import { listTenants } from "../tenants.ts";

const [file = ""] = process.argv.slice(2);
const session = await resumeSession({ store: sessionFile(file) });
if (!session) throw new Error("Sign in first.");
const api = connectApi({ url: session.url, session });
const [tenant] = (await api.query(listTenants, { first: 1 })).tenants.nodes;

async function attempt(what: Promise<unknown>): Promise<void> {
  try {
    await what;
  } catch (error) {
    if (error instanceof RefusedError) {
      process.stdout.write(`refused, ${error.code}: ${error.message}\n`);
      for (const { path, message } of error.faults ?? []) process.stdout.write(`  ${path}: ${message}\n`);
    } else if (error instanceof ApiError) {
      process.stdout.write(`failed, ${error.code}${error.retryable ? ", try again later" : ""}: ${error.message}\n`);
    } else throw error;
  }
}

await attempt(api.mutate(startBackup, { sourceId: "src_of_somebody_else" }));
await attempt(api.mutate(createSource, { tenantId: tenant?.id ?? "", name: "web-1", type: "SFTP", config: {} }));
await attempt(connectApi({ url: "http://127.0.0.1:1/graphql" }).query(listTenants, {}));
