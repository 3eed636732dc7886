// `xvault sources`: what is backed up, and when it last was.
import type { ApiClient } from "../../api/connect.ts";
import { everyNode } from "../../api/paging.ts";
import { listSources } from "../../api/sources.ts";
import { momentText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { everyTenant } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

/** Types that are always reached over SSH, whose hosts prove themselves by a key. */
const typesOverSsh: ReadonlySet<string> = new Set(["SFTP", "SSH", "WORDPRESS"]);

export async function sources(terminal: Terminal, { json }: { readonly json?: boolean }): Promise<void> {
  const { stdout, signal } = terminal;
  const found = everySource(await openSession(terminal), signal);
  if (json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "NAME", "TYPE", "HOST KEY", "LAST SNAPSHOT"],
    rows: rowsOf(found),
    empty: "There are no sources yet.",
  });
}

type ListedSource = ReturnType<typeof everySource> extends AsyncGenerator<infer Source> ? Source : never;

async function* everySource(api: ApiClient, signal: AbortSignal) {
  for await (const tenant of everyTenant(api, signal)) {
    const variables = { tenantId: tenant.id };
    const nodes = everyNode(
      async (after) => (await api.query(listSources, { ...variables, after }, { signal })).tenant?.sources,
    );
    for await (const { snapshots, ...source } of nodes) {
      const lastSnapshot = snapshots.nodes.find(({ status }) => status === "COMPLETED") ?? null;
      yield { ...source, tenant: { id: tenant.id, name: tenant.name }, lastSnapshot };
    }
  }
}

async function* rowsOf(found: AsyncIterable<ListedSource>) {
  for await (const source of found) {
    const last = source.lastSnapshot;
    const disabled = source.status === "DISABLED" ? " (disabled)" : "";
    yield [
      source.id,
      `${source.name}${disabled}`,
      source.type,
      hostKeyState(source),
      last ? momentText(last.createdAt) : "none",
    ];
  }
}

function hostKeyState({ type, config, hostKey }: ListedSource): string {
  const overSsh = typesOverSsh.has(type) || (typeof config === "object" && config !== null && "ssh" in config);
  if (!overSsh) return "none needed";
  return hostKey === null ? "not tested yet" : "pinned";
}
