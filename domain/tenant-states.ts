// How a tenant is stopped and goes on: suspended by operators, and deleted with a time in which that can be taken back.
import * as z from "zod";
import type { Tenant } from "../prisma/client/client.ts";
import { type Actor, authorize, authorizePlatform, isOperator } from "./actor.ts";
import { audit } from "./audit.ts";
import { DeletionDueError, InvalidInputError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import { readSetting } from "./settings.ts";
import { lockTenant } from "./tenants.ts";

const reasonInput = z
  .string()
  .trim()
  .min(1, "Say why, in a few words.")
  .max(500, "A reason has at most 500 characters.")
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "A reason has no control characters.");

const day = 86_400_000;

/**
 * Nothing new begins from now on, and what is queued waits; what runs may end, and what is kept can be restored. A tenant that is
 * being deleted goes on being deleted. For operators.
 */
export async function suspendTenant(
  hub: Hub,
  actor: Actor,
  { tenantId, ...input }: { tenantId: string; reason: string },
): Promise<Tenant> {
  authorizePlatform(actor);
  const { reason } = parseInput(z.object({ reason: reasonInput }), input);
  return transact(asPlatform(hub), async (tx) => {
    const before = await lockTenant(tx, tenantId);
    if (before.suspendedAt && before.suspendedFor === reason) return before;
    const tenant = await tx.tenant.update({
      where: { id: tenantId },
      data: {
        suspendedAt: before.suspendedAt ?? (await now(tx)),
        suspendedFor: reason,
        ...(before.status === "ACTIVE" && { status: "SUSPENDED" as const }),
      },
    });
    await audit(tx, actor, { tenantId, verb: "suspendTenant", objectId: tenantId, after: { reason } });
    return tenant;
  });
}

/** Ends a suspension: what is queued is done, what is due is begun. For operators. */
export async function resumeTenant(hub: Hub, actor: Actor, { tenantId }: { tenantId: string }): Promise<Tenant> {
  authorizePlatform(actor);
  return transact(asPlatform(hub), async (tx) => {
    const before = await lockTenant(tx, tenantId);
    if (!before.suspendedAt) return before;
    const tenant = await tx.tenant.update({
      where: { id: tenantId },
      data: {
        suspendedAt: null,
        suspendedFor: null,
        ...(before.status === "SUSPENDED" && { status: "ACTIVE" as const }),
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "resumeTenant",
      objectId: tenantId,
      before: { reason: before.suspendedFor ?? "" },
    });
    return tenant;
  });
}

/**
 * Everything of the tenant goes when the grace that the settings give is over; nothing new begins from now on. Asking again changes
 * nothing, the term included. For its owners and for operators: people, not programs.
 */
export async function deleteTenant(
  hub: Hub,
  actor: Actor,
  { tenantId, confirmName }: { tenantId: string; confirmName: string },
): Promise<Tenant> {
  return transact(mayDelete(hub, actor, tenantId, "deleteTenant"), async (tx) => {
    const before = await lockTenant(tx, tenantId);
    if (confirmName.trim() !== before.name)
      throw new InvalidInputError([{ path: "confirmName", message: "This is not what the tenant is called." }]);
    if (before.status === "DELETING") return before;
    const days = await readSetting(tx, "tenant_deletion_grace_days");
    const deletionDueAt = new Date((await now(tx)).getTime() + days * day);
    const tenant = await tx.tenant.update({ where: { id: tenantId }, data: { status: "DELETING", deletionDueAt } });
    await auditDeletion(tx, actor, "deleteTenant", before, tenant);
    return tenant;
  });
}

/** Takes the deletion back while there is time; throws `DeletionDueError` afterwards. A suspension from before holds on. */
export async function undeleteTenant(hub: Hub, actor: Actor, { tenantId }: { tenantId: string }): Promise<Tenant> {
  return transact(mayDelete(hub, actor, tenantId, "undeleteTenant"), async (tx) => {
    const before = await lockTenant(tx, tenantId);
    if (before.status !== "DELETING") return before;
    if (!before.deletionDueAt || before.deletionDueAt <= (await now(tx))) throw new DeletionDueError();
    const tenant = await tx.tenant.update({
      where: { id: tenantId },
      data: { status: before.suspendedAt ? "SUSPENDED" : "ACTIVE", deletionDueAt: null },
    });
    await auditDeletion(tx, actor, "undeleteTenant", before, tenant);
    return tenant;
  });
}

function mayDelete(hub: Hub, actor: Actor, tenantId: string, verb: "deleteTenant" | "undeleteTenant"): Hub {
  if (isOperator(actor)) return asPlatform(hub);
  authorize(actor, tenantId, verb);
  return hub;
}

function auditDeletion(
  tx: Transaction,
  actor: Actor,
  verb: "deleteTenant" | "undeleteTenant",
  before: Tenant,
  after: Tenant,
): Promise<void> {
  return audit(tx, actor, {
    tenantId: after.id,
    verb,
    objectId: after.id,
    before: { status: before.status },
    after: { status: after.status, deletionDueAt: after.deletionDueAt?.toISOString() ?? null },
  });
}
