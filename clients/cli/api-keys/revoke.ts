// `xvault api-keys revoke`: ends a key at once.
import { revokeApiKey } from "../../api/api-keys.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

export async function revokeKey(terminal: Terminal, apiKeyId: string): Promise<void> {
  const api = await openSession(terminal);
  await api.mutate(revokeApiKey, { apiKeyId }, { signal: terminal.signal });
  terminal.stdout.write(`${apiKeyId} is revoked.\n`);
}
