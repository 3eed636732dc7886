// `xvault keys`: what a tenant's snapshots are sealed to, and how many of them hang on each key.
import { type KeyFacts, listKeys } from "../../api/keys.ts";
import { everyNode } from "../../api/paging.ts";
import { countText, momentText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { chosenTenant, noTenant, type TenantChoice } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export interface KeysOptions extends TenantChoice {
  readonly json?: boolean;
}

export async function keys(terminal: Terminal, options: KeysOptions): Promise<void> {
  const { stdout, signal } = terminal;
  const api = await openSession(terminal);
  const tenantId = await chosenTenant(api, options, signal);
  const found = everyNode(async (after) => {
    const { tenant } = await api.query(listKeys, { tenantId, after }, { signal });
    if (!tenant) throw noTenant(tenantId);
    return tenant.keys;
  });
  if (options.json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "HELD BY", "STATUS", "MADE", "ONLY KEY OF", "PUBLIC KEY"],
    rows: rowsOf(found),
    empty: "There are no keys.",
  });
}

async function* rowsOf(found: AsyncIterable<KeyFacts>) {
  for await (const { id, custody, status, createdAt, snapshotsOnlyOpenedByIt, publicKey } of found)
    yield [
      id,
      custody === "CUSTOMER" ? "you" : "the platform",
      status.toLowerCase(),
      momentText(createdAt),
      custody === "CUSTOMER" ? "" : countText(snapshotsOnlyOpenedByIt),
      publicKey,
    ];
}
