// `xvault members`: who has a part in a tenant, and what they may do there.
import { listMembers, type MemberFacts } from "../../api/members.ts";
import { everyNode } from "../../api/paging.ts";
import { momentText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { chosenTenant, noTenant, type TenantChoice } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export interface MembersOptions extends TenantChoice {
  readonly json?: boolean;
}

export async function members(terminal: Terminal, options: MembersOptions): Promise<void> {
  const { stdout, signal } = terminal;
  const api = await openSession(terminal);
  const tenantId = await chosenTenant(api, options, signal);
  const found = everyNode(async (after) => {
    const { tenant } = await api.query(listMembers, { tenantId, after }, { signal });
    if (!tenant) throw noTenant(tenantId);
    return tenant.members;
  });
  if (options.json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "E-MAIL", "NAME", "ROLE", "SINCE"],
    rows: rowsOf(found),
    empty: "Nobody has a part in it.",
  });
}

async function* rowsOf(found: AsyncIterable<MemberFacts>) {
  for await (const { user, role, createdAt } of found)
    yield [user.id, user.email, user.name, role.toLowerCase(), momentText(createdAt)];
}
