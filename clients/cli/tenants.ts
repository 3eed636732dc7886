// Finds the tenants of whoever is signed in, and the one that a command is about.
import type { ApiClient } from "../api/connect.ts";
import { everyNode } from "../api/paging.ts";
import { listTenants } from "../api/tenants.ts";
import { CommandError, exitCodes } from "./failure.ts";

export interface TenantChoice {
  readonly tenant?: string;
}

export function everyTenant(api: ApiClient, signal: AbortSignal) {
  return everyNode(async (after) => (await api.query(listTenants, { after }, { signal })).tenants);
}

/** The id that is named, or that of the only tenant there is. Throws `CommandError` where there are several. */
export async function chosenTenant(api: ApiClient, { tenant }: TenantChoice, signal: AbortSignal): Promise<string> {
  if (tenant !== undefined) return tenant;
  const { nodes } = (await api.query(listTenants, { first: 2 }, { signal })).tenants;
  const [only, another] = nodes;
  if (only && !another) return only.id;
  throw new CommandError(only ? "You have several tenants: say which with --tenant." : "There is no tenant yet.", {
    exitCode: exitCodes.usage,
  });
}

/** For a list that is null: of a tenant that is unknown, or not yours. */
export function noTenant(id: string): CommandError {
  return new CommandError(`There is no tenant of yours with the id ${id}.`);
}
