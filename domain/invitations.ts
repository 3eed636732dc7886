// Ways into a tenant: a token for one person, handed over by whoever invites them, that works once within a week.
import * as z from "zod";
import type { Invitation, Prisma, Role, User } from "../prisma/client/client.ts";
import { type Actor, authorize, isAuthorized, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import {
  AlreadyMemberError,
  ForbiddenError,
  InvalidInputError,
  InvalidTokenError,
  NotFoundError,
  SignInFailedError,
} from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { lockRole } from "./memberships.ts";
import { emailInput, hashPassword, isPassword, passwordInput } from "./passwords.ts";
import { isAbove } from "./rules/permissions.ts";
import { hashToken, newToken } from "./secrets.ts";
import { beginSession, lockUser, personOf, type Session } from "./sessions.ts";
import { refuseSuspended } from "./tenants.ts";
import { type Address, takePasswordTry, takeTokenTry } from "./tries.ts";

const validSeconds = 7 * 86_400;
const inviteMemberInput = z.object({ email: emailInput });
const newAccountInput = z.object({ name: nameInput, password: passwordInput });

/** An invitation and its token, which is shown here and never again; earlier ones to the same address work no more. */
export async function inviteMember(
  hub: Hub,
  actor: Actor,
  { tenantId, role, ...input }: { tenantId: string; email: string; role: Role },
): Promise<{ invitation: Invitation; token: string }> {
  authorize(actor, tenantId, "inviteMember");
  const { email } = parseInput(inviteMemberInput, { email: input.email.trim() });
  const token = newToken("xvi_");
  return transact(hub, async (tx) => {
    const own = await lockRole(tx, actor, tenantId, "inviteMember");
    if (isAbove(role, own)) throw new ForbiddenError();
    await refuseSuspended(tx, tenantId);
    if ((await tx.membership.count({ where: { tenantId, user: { email } } })) > 0) throw new AlreadyMemberError();
    const at = await now(tx);
    const open = { tenantId, email, acceptedAt: null, revokedAt: null };
    await tx.invitation.updateMany({ where: open, data: { revokedAt: at } });
    const invitation = await tx.invitation.create({
      data: {
        ...{ id: newId("invitation", at), tenantId, email, role, tokenHash: hashToken(token) },
        invitedBy: actor.kind === "user" ? actor.userId : null,
        expiresAt: new Date(at.getTime() + validSeconds * 1000),
      },
    });
    await audit(tx, actor, { tenantId, verb: "inviteMember", objectId: invitation.id, after: { email, role } });
    return { invitation, token };
  });
}

/** Ends an invitation; one that was accepted or has ended stays as it is. */
export async function revokeInvitation(
  hub: Hub,
  actor: Actor,
  { invitationId }: { invitationId: string },
): Promise<Invitation> {
  const found = await hub.db.invitation.findFirst({ where: visibleRow(actor, invitationId) });
  if (!found) throw new NotFoundError();
  const { id, tenantId } = found;
  authorize(actor, tenantId, "revokeInvitation");
  return transact(hub, async (tx) => {
    const { count } = await tx.invitation.updateMany({
      where: { id, acceptedAt: null, revokedAt: null },
      data: { revokedAt: await now(tx) },
    });
    const { email, role } = found;
    if (count > 0)
      await audit(tx, actor, { tenantId, verb: "revokeInvitation", objectId: id, before: { email, role } });
    return tx.invitation.findUniqueOrThrow({ where: { id } });
  });
}

export interface AcceptInvitationInput {
  readonly token: string;
  readonly name?: string | null | undefined;
  readonly password?: string | null | undefined;
}

/**
 * Lets the invited in. Where their address has no account, one is made of `name` and `password`; whoever has one is signed in
 * already (`caller`) or gives its password. Answers a session unless they were signed in. Throws `InvalidTokenError` alike for
 * what is unknown, used, revoked and expired.
 */
export async function acceptInvitation(
  hub: Hub,
  caller: Actor | null,
  input: AcceptInvitationInput,
  address: Address,
): Promise<{ tenantId: string; role: Role; session: Session | null }> {
  await takeTokenTry(hub, "acceptInvitation", { token: input.token, address });
  const invitation = await findOpen(hub.platform, input.token);
  if (!invitation) throw new InvalidTokenError();
  const { id, tenantId, email } = invitation;
  const known = await hub.platform.user.findUnique({ where: { email } });
  const signedIn = known !== null && caller?.kind === "user" && caller.userId === known.id;
  if (known && !signedIn) await provePassword(hub, known, input.password ?? "", address);
  const account = known ? null : await newAccount(input);
  return transact(asPlatform(hub), async (tx) => {
    const at = await now(tx);
    const { count } = await tx.invitation.updateMany({
      where: { id, acceptedAt: null, revokedAt: null, expiresAt: { gt: at } },
      data: { acceptedAt: at },
    });
    if (count === 0) throw new InvalidTokenError();
    const user = account ? await createInvited(tx, { ...account, email }) : await lockUser(tx, known?.id ?? "");
    // Its account was made, or its password changed, in the meantime.
    if (!user || (known && user.passwordHash !== known.passwordHash)) throw new SignInFailedError();
    // Whoever has a part by now keeps the role they have.
    await tx.membership.createMany({
      data: { tenantId, userId: user.id, role: invitation.role },
      skipDuplicates: true,
    });
    const { role } = await tx.membership.findFirstOrThrow({ where: { tenantId, userId: user.id } });
    await audit(tx, personOf(user), { tenantId, verb: "acceptInvitation", objectId: id, after: { role } });
    return { tenantId, role, session: signedIn ? null : await beginSession(hub, tx, user) };
  });
}

/** One of those that `listInvitations` lists; null for whoever may not see it. */
export async function findInvitation(hub: Hub, actor: Actor, id: string): Promise<Invitation | null> {
  const found = await hub.db.invitation.findFirst({ where: visibleRow(actor, id) });
  return found && isAuthorized(actor, found.tenantId, "readInvitations") ? found : null;
}

/** Throws `ForbiddenError` for those who may not invite. */
export function listInvitations(
  hub: Hub,
  actor: Actor,
  tenantId: string,
  query: Prisma.InvitationFindManyArgs,
): Promise<Invitation[]> {
  authorize(actor, tenantId, "readInvitations");
  return hub.db.invitation.findMany({ ...query, where: { AND: [{ tenantId }, query.where ?? {}] } });
}

/** Throws `ForbiddenError` for those who may not invite. */
export function countInvitations(hub: Hub, actor: Actor, tenantId: string): Promise<number> {
  authorize(actor, tenantId, "readInvitations");
  return hub.db.invitation.count({ where: { tenantId } });
}

async function findOpen(db: Transaction, token: string): Promise<Invitation | null> {
  return db.invitation.findFirst({
    where: { tokenHash: hashToken(token), acceptedAt: null, revokedAt: null, expiresAt: { gt: await now(db) } },
  });
}

async function provePassword(
  hub: Hub,
  { email, passwordHash }: User,
  password: string,
  address: Address,
): Promise<void> {
  await takePasswordTry(hub, email, address);
  if (!(await isPassword(passwordHash, password))) throw new SignInFailedError();
}

async function newAccount({ name, password }: AcceptInvitationInput): Promise<{ name: string; passwordHash: string }> {
  if (password == null)
    throw new InvalidInputError([{ path: "password", message: "Choose a password for your new account." }]);
  const account = parseInput(newAccountInput, { name: name ?? "", password });
  return { name: account.name, passwordHash: await hashPassword(account.password) };
}

/** Null where somebody was quicker. */
async function createInvited(
  tx: Transaction,
  account: { email: string; name: string; passwordHash: string },
): Promise<User | null> {
  const id = newId("user", await now(tx));
  const { count } = await tx.user.createMany({ data: { id, ...account }, skipDuplicates: true });
  if (count === 0) return null;
  const user = await tx.user.findUniqueOrThrow({ where: { id } });
  await audit(tx, personOf(user), { tenantId: null, verb: "createUser", objectId: id, after: { email: user.email } });
  return user;
}
