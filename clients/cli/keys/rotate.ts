// `xvault keys rotate`: a new key of the platform, for the snapshots from now on.
import { rotateTenantKey } from "../../api/keys.ts";
import { openSession } from "../session.ts";
import { chosenTenant, type TenantChoice } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export async function rotate(terminal: Terminal, options: TenantChoice): Promise<void> {
  const { stdout, signal } = terminal;
  const api = await openSession(terminal);
  const tenantId = await chosenTenant(api, options, signal);
  const { key } = await api.mutate(rotateTenantKey, { tenantId }, { signal });
  stdout.write(`${key.id}  ${key.publicKey}\n`);
}
