// Lists every source of every tenant, page by page:
//   node clients/api/examples/list-sources.ts session.json
import { connectApi } from "../connect.ts";
import { everyNode } from "../paging.ts";
import { resumeSession } from "../session.ts";
import { sessionFile } from "../session-file.ts";
import { listSources } from "../sources.ts";
import { listTenants } from "../tenants.ts";

const [file = ""] = process.argv.slice(2);
const session = await resumeSession({ store: sessionFile(file) });
if (!session) throw new Error("Sign in first.");
const api = connectApi({ url: session.url, session });

for await (const tenant of everyNode(async (after) => (await api.query(listTenants, { after })).tenants)) {
  const sources = everyNode(async (after) => {
    const page = await api.query(listSources, { tenantId: tenant.id, orderBy: "NAME", first: 2, after });
    return page.tenant?.sources;
  });
  for await (const { id, name, type } of sources) process.stdout.write(`${tenant.name}: ${id} ${type} ${name}\n`);
}
