// New passwords: by whoever knows the old one, or with a token that an operator handed over. Each ends all sessions there were.
import * as z from "zod";
import type { User } from "../prisma/client/client.ts";
import { type Actor, authorizePerson, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidTokenError, NotFoundError, WrongPasswordError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { parseInput } from "./input.ts";
import { emailInput, hashPassword, isPassword, passwordInput } from "./passwords.ts";
import { hashToken, newToken } from "./secrets.ts";
import { beginSession, endSessions, lockUser, personOf, type Session } from "./sessions.ts";
import { type Address, takePasswordTry, takeTokenTry } from "./tries.ts";

const resetSeconds = 3_600;
const newPasswordInput = z.object({ newPassword: passwordInput });

/** Ends every session but the one it answers. Throws `WrongPasswordError`. */
export async function changePassword(
  hub: Hub,
  actor: Actor,
  { currentPassword, newPassword }: { currentPassword: string; newPassword: string },
  address: Address,
): Promise<Session> {
  const person = authorizePerson(actor);
  parseInput(newPasswordInput, { newPassword });
  const found = await hub.platform.user.findUniqueOrThrow({ where: { id: person.userId } });
  await takePasswordTry(hub, found.email, address);
  if (!(await isPassword(found.passwordHash, currentPassword))) throw new WrongPasswordError();
  const passwordHash = await hashPassword(newPassword);
  return transact(asPlatform(hub), async (tx) => {
    const user = await lockUser(tx, found.id);
    // Somebody else has changed it in the meantime.
    if (user?.passwordHash !== found.passwordHash) throw new WrongPasswordError();
    const changed = await replacePassword(tx, user, passwordHash);
    await audit(tx, person, { tenantId: null, verb: "changePassword", objectId: user.id });
    return beginSession(hub, tx, changed);
  });
}

/**
 * A token with which somebody may choose a new password within the hour, once; earlier ones of theirs work no more. Only
 * operators may, and hand it over themselves. Throws `NotFoundError` for an address without an account.
 */
export async function createPasswordReset(
  hub: Hub,
  actor: Actor,
  { email }: { email: string },
): Promise<{ token: string; expiresAt: Date }> {
  authorizePlatform(actor);
  const known = emailInput.safeParse(email.trim());
  const token = newToken("xvp_");
  return transact(asPlatform(hub), async (tx) => {
    const user = known.success ? await tx.user.findUnique({ where: { email: known.data } }) : null;
    if (!user) throw new NotFoundError();
    const at = await now(tx);
    const id = newId("passwordReset", at);
    const expiresAt = new Date(at.getTime() + resetSeconds * 1000);
    await tx.passwordReset.deleteMany({ where: { userId: user.id } });
    await tx.passwordReset.create({ data: { id, userId: user.id, tokenHash: hashToken(token), expiresAt } });
    await audit(tx, actor, {
      tenantId: null,
      verb: "createPasswordReset",
      objectId: user.id,
      after: { email: user.email },
    });
    return { token, expiresAt };
  });
}

/** Ends every session of the person, and answers whom to sign in as. Throws `InvalidTokenError`. */
export async function resetPassword(
  hub: Hub,
  { token, newPassword }: { token: string; newPassword: string },
  address: Address,
): Promise<{ email: string }> {
  await takeTokenTry(hub, "resetPassword", { token, address });
  parseInput(newPasswordInput, { newPassword });
  const where = { tokenHash: hashToken(token) };
  const found = await hub.platform.passwordReset.findUnique({ where });
  if (!found) throw new InvalidTokenError();
  const passwordHash = await hashPassword(newPassword);
  return transact(asPlatform(hub), async (tx) => {
    const user = await lockUser(tx, found.userId);
    const at = await now(tx);
    const { count } = await tx.passwordReset.updateMany({
      where: { ...where, usedAt: null, expiresAt: { gt: at } },
      data: { usedAt: at },
    });
    if (!user || count === 0) throw new InvalidTokenError();
    await replacePassword(tx, user, passwordHash);
    await audit(tx, personOf(user), { tenantId: null, verb: "resetPassword", objectId: user.id });
    return { email: user.email };
  });
}

async function replacePassword(tx: Transaction, user: User, passwordHash: string): Promise<User> {
  await tx.user.update({ where: { id: user.id }, data: { passwordHash, updatedAt: await now(tx) } });
  // Whoever asked for a reset has no more use for it, and nobody else should.
  await tx.passwordReset.deleteMany({ where: { userId: user.id, usedAt: null } });
  return endSessions(tx, user);
}
