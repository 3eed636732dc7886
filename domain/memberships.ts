// Who has a part in a tenant, and which. Nobody gives or takes more than they have themselves, and an owner always remains.
import type { Membership, Role } from "../prisma/client/client.ts";
import { type Actor, authorize } from "./actor.ts";
import { audit } from "./audit.ts";
import { ForbiddenError, LastOwnerError, NotFoundError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { nounOf } from "./ids.ts";
import { isAbove, may, type Verb } from "./rules/permissions.ts";

interface Member {
  readonly tenantId: string;
  readonly userId: string;
}

/** Gives a member another role. Throws `LastOwnerError` where nobody would be left to own the tenant. */
export async function updateMember(
  hub: Hub,
  actor: Actor,
  { role, ...of }: Member & { role: Role },
): Promise<Membership> {
  const { tenantId, userId } = of;
  authorize(actor, tenantId, "updateMember");
  return transact(hub, async (tx) => {
    const own = await lockRole(tx, actor, tenantId, "updateMember");
    const member = await requireMember(tx, of);
    if (isAbove(member.role, own) || isAbove(role, own)) throw new ForbiddenError();
    if (role !== "OWNER") await refuseLastOwner(tx, member);
    const changed = await tx.membership.update({ where: { tenantId_userId: { tenantId, userId } }, data: { role } });
    await revokeInvitationsOf(tx, member, role);
    const [before, after] = [{ role: member.role }, { role }];
    await audit(tx, actor, { tenantId, verb: "updateMember", objectId: userId, before, after });
    return changed;
  });
}

/** Ends somebody's part in a tenant; anybody may end their own. Throws `LastOwnerError` as `updateMember` does. */
export async function removeMember(hub: Hub, actor: Actor, { tenantId, userId }: Member): Promise<Member> {
  const verb: Verb = actor.kind === "user" && actor.userId === userId ? "leaveTenant" : "removeMember";
  authorize(actor, tenantId, verb);
  return transact(hub, async (tx) => {
    const own = await lockRole(tx, actor, tenantId, verb);
    const member = await requireMember(tx, { tenantId, userId });
    if (isAbove(member.role, own)) throw new ForbiddenError();
    await refuseLastOwner(tx, member);
    await tx.membership.deleteMany({ where: { tenantId, userId } });
    await revokeInvitationsOf(tx, member, null);
    await audit(tx, actor, { tenantId, verb: "removeMember", objectId: userId, before: { role: member.role } });
    return { tenantId, userId };
  });
}

/**
 * The role that the actor has in the tenant now, while nobody else changes who has which. Throws what `authorize` does, where
 * that has changed since they asked.
 */
export async function lockRole(tx: Transaction, actor: Actor, tenantId: string, verb: Verb): Promise<Role> {
  await tx.$queryRaw`SELECT 1 FROM tenants WHERE id = ${tenantId} FOR NO KEY UPDATE`;
  if (actor.kind !== "user") return "OWNER";
  const own = await tx.membership.findFirst({ where: { tenantId, userId: actor.userId } });
  if (!own) throw new NotFoundError();
  if (!may(own.role, verb)) throw new ForbiddenError();
  return own.role;
}

async function requireMember(tx: Transaction, { tenantId, userId }: Member): Promise<Membership> {
  const member = nounOf(userId) ? await tx.membership.findFirst({ where: { tenantId, userId } }) : null;
  if (!member) throw new NotFoundError();
  return member;
}

async function refuseLastOwner(tx: Transaction, { tenantId, role }: Membership): Promise<void> {
  if (role !== "OWNER") return;
  if ((await tx.membership.count({ where: { tenantId, role: "OWNER" } })) === 1) throw new LastOwnerError();
}

/** Whoever has lost a role has not left the door open for it: their invitations above what remains to them end. */
async function revokeInvitationsOf(
  tx: Transaction,
  { tenantId, userId }: Membership,
  left: Role | null,
): Promise<void> {
  const open = await tx.invitation.findMany({
    where: { tenantId, invitedBy: userId, acceptedAt: null, revokedAt: null },
    select: { id: true, role: true },
  });
  const lost = open.filter(({ role }) => left === null || !may(left, "inviteMember") || isAbove(role, left));
  await tx.invitation.updateMany({
    where: { tenantId, id: { in: lost.map(({ id }) => id) } },
    data: { revokedAt: await now(tx) },
  });
}
