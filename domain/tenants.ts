// Customers: made with a key of their own, and with their maker as owner.
import * as z from "zod";
import type { Prisma, Tenant } from "../prisma/client/client.ts";
import { type Actor, authorize, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, TenantSuspendedError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId, nounOf } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { createTenantKey } from "./keys.ts";

const namedInput = z.object({ name: nameInput });

/** Makes a tenant, its first key, and the actor its owner. Only operators of the platform may. */
export async function createTenant(hub: Hub, actor: Actor, input: { name: string }): Promise<Tenant> {
  authorizePlatform(actor);
  const { name } = parseInput(namedInput, input);
  return transact(asPlatform(hub), async (tx) => {
    const tenant = await tx.tenant.create({ data: { id: newId("tenant", await now(tx)), name } });
    await createTenantKey(hub, tx, tenant.id);
    if (actor.kind === "user")
      await tx.membership.create({ data: { tenantId: tenant.id, userId: actor.userId, role: "OWNER" } });
    await audit(tx, actor, { tenantId: tenant.id, verb: "createTenant", objectId: tenant.id, after: { name } });
    return tenant;
  });
}

/** Renames it. For its owners. */
export async function updateTenant(
  hub: Hub,
  actor: Actor,
  { tenantId, name }: { tenantId: string; name: string },
): Promise<Tenant> {
  authorize(actor, tenantId, "updateTenant");
  const wanted = parseInput(namedInput, { name });
  return transact(hub, async (tx) => {
    const before = await lockTenant(tx, tenantId);
    const tenant = await tx.tenant.update({ where: { id: tenantId }, data: wanted });
    await audit(tx, actor, {
      tenantId,
      verb: "updateTenant",
      objectId: tenantId,
      before: { name: before.name },
      after: wanted,
    });
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

/** Every tenant there is, for operators. `query` asks for no relations: what a tenant has is its own. */
export function listAllTenants(hub: Hub, actor: Actor, query: Prisma.TenantFindManyArgs): Promise<Tenant[]> {
  authorizePlatform(actor);
  return hub.platform.tenant.findMany(query);
}

export function countAllTenants(hub: Hub, actor: Actor, where: Prisma.TenantWhereInput): Promise<number> {
  authorizePlatform(actor);
  return hub.platform.tenant.count({ where });
}

/** Locks the row for the rest of the transaction. Throws `NotFoundError`. */
export async function lockTenant(tx: Transaction, tenantId: string): Promise<Tenant> {
  const id = nounOf(tenantId) ? tenantId : "";
  await tx.$queryRaw`SELECT id FROM tenants WHERE id = ${id} FOR UPDATE`;
  const tenant = await tx.tenant.findUnique({ where: { id } });
  if (!tenant) throw new NotFoundError();
  return tenant;
}

/** Throws `TenantSuspendedError` where nothing new may be begun. */
export async function refuseSuspended(tx: Transaction, tenantId: string): Promise<Tenant> {
  const tenant = await tx.tenant.findUnique({ where: { id: tenantId } });
  if (!tenant) throw new NotFoundError();
  if (tenant.status !== "ACTIVE") throw new TenantSuspendedError(tenant.status);
  return tenant;
}

function visible(actor: Actor, where: Prisma.TenantWhereInput = {}): Prisma.TenantWhereInput {
  return actor.kind === "system" ? where : { AND: [where, { id: { in: [...actor.roles.keys()] } }] };
}
