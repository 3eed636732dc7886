// `xvault api-keys`: what programs sign in with, and when they last did.
import { type ApiKeyFacts, listApiKeys } from "../../api/api-keys.ts";
import { everyNode } from "../../api/paging.ts";
import { momentText, plural } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { chosenTenant, noTenant, type TenantChoice } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export interface ApiKeysOptions extends TenantChoice {
  readonly json?: boolean;
}

export async function apiKeys(terminal: Terminal, options: ApiKeysOptions): Promise<void> {
  const { stdout, signal } = terminal;
  const api = await openSession(terminal);
  const tenantId = await chosenTenant(api, options, signal);
  const found = everyNode(async (after) => {
    const { tenant } = await api.query(listApiKeys, { tenantId, after }, { signal });
    if (!tenant) throw noTenant(tenantId);
    return tenant.apiKeys;
  });
  if (options.json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "NAME", "BEGINS WITH", "ROLE", "GOOD FOR", "LAST USED", "ENDS"],
    rows: rowsOf(found),
    empty: "There are no API keys.",
  });
}

async function* rowsOf(found: AsyncIterable<ApiKeyFacts>) {
  for await (const { id, name, prefix, role, sourceIds, lastUsedAt, expiresAt, revokedAt } of found)
    yield [
      id,
      name,
      prefix,
      role.toLowerCase(),
      sourceIds.length === 0 ? "all sources" : plural(sourceIds.length, "source"),
      lastUsedAt === null ? "never" : momentText(lastUsedAt),
      endOf(revokedAt, expiresAt),
    ];
}

function endOf(revokedAt: string | null, expiresAt: string | null): string {
  if (revokedAt !== null) return `revoked ${momentText(revokedAt)}`;
  return expiresAt === null ? "never" : momentText(expiresAt);
}
