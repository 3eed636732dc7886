// Customers: made with a key of their own, and with their maker as owner.
import * as z from "zod";
import type { Prisma, Tenant } from "../prisma/client/client.ts";
import { type Actor, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, TenantSuspendedError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { createTenantKey } from "./keys.ts";

const createTenantInput = z.object({ name: nameInput });

/** Makes a tenant, its first key, and the actor its owner. Only operators of the platform may. */
export async function createTenant(hub: Hub, actor: Actor, input: { name: string }): Promise<Tenant> {
  authorizePlatform(actor);
  const { name } = parseInput(createTenantInput, input);
  return transact(asPlatform(hub), async (tx) => {
    const tenant = await tx.tenant.create({ data: { id: newId("tenant", await now(tx)), name } });
    await createTenantKey(hub, tx, tenant.id);
    if (actor.kind === "user")
      await tx.membership.create({ data: { tenantId: tenant.id, userId: actor.userId, role: "OWNER" } });
    await audit(tx, actor, { tenantId: tenant.id, verb: "createTenant", objectId: tenant.id, after: { name } });
    return tenant;
  });
}

export async function findTenant(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.TenantDefaultArgs = {},
): Promise<Tenant | null> {
  if (actor.kind !== "system" && !actor.roles.has(id)) return null;
  return hub.db.tenant.findUnique({ ...query, where: { id } });
}

/** The tenants that the actor has a part in, as far as `query` asks for them. */
export function listTenants(hub: Hub, actor: Actor, query: Prisma.TenantFindManyArgs): Promise<Tenant[]> {
  return hub.db.tenant.findMany({ ...query, where: visible(actor, query.where) });
}

export function countTenants(hub: Hub, actor: Actor, where?: Prisma.TenantWhereInput): Promise<number> {
  return hub.db.tenant.count({ where: visible(actor, where) });
}

/** Throws `TenantSuspendedError` where nothing new may be begun. */
export async function refuseSuspended(tx: Transaction, tenantId: string): Promise<Tenant> {
  const tenant = await tx.tenant.findUnique({ where: { id: tenantId } });
  if (!tenant) throw new NotFoundError();
  if (tenant.status !== "ACTIVE") throw new TenantSuspendedError();
  return tenant;
}

function visible(actor: Actor, where: Prisma.TenantWhereInput = {}): Prisma.TenantWhereInput {
  return actor.kind === "system" ? where : { AND: [where, { id: { in: [...actor.roles.keys()] } }] };
}
