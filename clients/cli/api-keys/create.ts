// `xvault api-keys create`: makes a key for a program, and writes it where it can be piped on from.
import { createApiKey } from "../../api/api-keys.ts";
import { openSession } from "../session.ts";
import { chosenTenant, type TenantChoice } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export interface CreateOptions extends TenantChoice {
  readonly role: "viewer" | "member" | "admin";
  /** All of them where none is named. */
  readonly source?: readonly string[];
  /** For ever where it is not given. */
  readonly days?: number;
}

const dayMs = 86_400_000;

export async function createKey(terminal: Terminal, name: string, options: CreateOptions): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const { role, source, days } = options;
  const api = await openSession(terminal);
  const tenantId = await chosenTenant(api, options, signal);
  const input = {
    ...{ tenantId, name, role: role.toUpperCase() as "VIEWER" | "MEMBER" | "ADMIN" },
    ...(source && { sourceIds: [...source] }),
    ...(days !== undefined && { expiresAt: new Date(Date.now() + days * dayMs).toISOString() }),
  };
  const { token, apiKey } = await api.mutate(createApiKey, input, { signal });
  stderr.write(`${apiKey.id} is made. This is shown once:\n`);
  stdout.write(`${token}\n`);
}
