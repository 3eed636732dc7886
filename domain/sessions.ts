// Sessions: a family of refresh tokens, one behind the other, that ends as a whole.
import { Prisma, type RefreshToken, type Role, type User } from "../prisma/client/client.ts";
import { type Actor, authorizePerson, isOperator, type UserActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, SessionEndedError, SignInFailedError, UnauthenticatedError } from "./errors.ts";
import { asPlatform, type Hub, hubFor, now, type Transaction, transact } from "./hub.ts";
import { newId, nounOf } from "./ids.ts";
import { emailInput, isPassword } from "./passwords.ts";
import { hashToken, newToken } from "./secrets.ts";
import { type Address, takePasswordTry, takeTokenTry } from "./tries.ts";

/** What somebody who has just signed in, or refreshed their session, holds. */
export interface Session {
  readonly user: User;
  /** Names the session for as long as it lasts. */
  readonly familyId: string;
  /** Works once; shown here and never again. */
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: Date;
}

/** What an access token says of its bearer. */
export interface SessionClaims {
  readonly userId: string;
  readonly tokenGeneration: number;
  readonly familyId: string;
}

/** People share addresses, and each of their tabs refreshes: far more of these are honest. */
const refreshesPerAddress = 2_000;

/** Throws `SignInFailedError`, the same and after the same time for an unknown address as for a wrong password. */
export async function signIn(
  hub: Hub,
  { email, password }: { email: string; password: string },
  address: Address,
): Promise<Session> {
  await takePasswordTry(hub, email, address);
  const known = emailInput.safeParse(email.trim());
  const found = known.success ? await hub.platform.user.findUnique({ where: { email: known.data } }) : null;
  const right = await isPassword(found?.passwordHash ?? null, password);
  if (!found || !right) throw new SignInFailedError();
  return transact(asPlatform(hub), async (tx) => {
    const user = await lockUser(tx, found.id);
    if (user?.passwordHash !== found.passwordHash) throw new SignInFailedError();
    await audit(tx, personOf(user), { tenantId: null, verb: "signIn", objectId: user.id });
    return beginSession(hub, tx, user);
  });
}

/**
 * Takes a refresh token for the next one. Each works once: whoever brings a spent one has stolen it or was stolen from, and
 * the whole session ends. That is also what becomes of two who bring the same one at the same moment: one goes on for as long
 * as it takes the other to be noticed. Throws `SessionEndedError`.
 */
export async function refreshSession(
  hub: Hub,
  { refreshToken }: { refreshToken: string },
  address: Address,
): Promise<Session> {
  await takeTokenTry(hub, "refreshSession", { token: refreshToken, address, fromAddress: refreshesPerAddress });
  // Ending a session is kept although it is refused: nothing is thrown before the commit.
  const session = await transact(asPlatform(hub), async (tx) => {
    const held = await findHeld(tx, refreshToken);
    if (!held) return null;
    const { user, token } = held;
    const objectId = user.id;
    if (token.spentAt !== null) {
      const { count } = await endFamily(tx, token.familyId);
      if (count > 0)
        await audit(tx, personOf(user), {
          tenantId: null,
          verb: "refreshSession",
          objectId,
          after: { session: token.familyId, reused: true, ended: true },
        });
      return null;
    }
    const at = await now(tx);
    if (token.revokedAt !== null || token.expiresAt <= at) return null;
    await tx.refreshToken.update({ where: { id: token.id }, data: { spentAt: at } });
    await audit(tx, personOf(user), {
      tenantId: null,
      verb: "refreshSession",
      objectId,
      after: { session: token.familyId },
    });
    return beginSession(hub, tx, user, token.familyId);
  });
  if (!session) throw new SessionEndedError();
  return session;
}

/** Ends the session that the refresh token belongs to, spent or not, and answers whose it was. Throws `SessionEndedError`. */
export async function signOut(
  hub: Hub,
  { refreshToken }: { refreshToken: string },
  address: Address,
): Promise<{ userId: string }> {
  await takeTokenTry(hub, "signOut", { token: refreshToken, address });
  return transact(asPlatform(hub), async (tx) => {
    const held = await findHeld(tx, refreshToken);
    if (!held || (await endFamily(tx, held.token.familyId)).count === 0) throw new SessionEndedError();
    const { user, token } = held;
    await audit(tx, personOf(user), {
      tenantId: null,
      verb: "signOut",
      objectId: user.id,
      after: { session: token.familyId },
    });
    return { userId: user.id };
  });
}

/** Ends every session of a person: the caller's own, or, for operators, anybody's. Throws `NotFoundError`. */
export async function signOutEverywhere(
  hub: Hub,
  actor: Actor,
  { userId }: { userId?: string | null | undefined },
): Promise<{ userId: string }> {
  const person = authorizePerson(actor);
  const objectId = userId ?? person.userId;
  if ((objectId !== person.userId && !isOperator(person)) || nounOf(objectId) !== "user") throw new NotFoundError();
  await transact(asPlatform(hub), async (tx) => {
    const user = await lockUser(tx, objectId);
    if (!user) throw new NotFoundError();
    await endSessions(tx, user);
    await audit(tx, person, { tenantId: null, verb: "signOutEverywhere", objectId });
  });
  return { userId: objectId };
}

/** The actor behind an access token, with the roles of this moment; null where the session has ended or the user is gone. */
export async function findActor(hub: Hub, claims: SessionClaims): Promise<UserActor | null> {
  const [row] = await hub.platform.$queryRaw<{ platformAdmin: boolean; roles: Record<string, Role> }[]>(Prisma.sql`
    SELECT u.platform_admin AS "platformAdmin",
           (SELECT coalesce(json_object_agg(m.tenant_id, m.role), '{}') FROM memberships m WHERE m.user_id = u.id) AS roles
      FROM users u
     WHERE u.id = ${claims.userId} AND u.token_generation = ${claims.tokenGeneration}
       AND EXISTS (SELECT FROM refresh_tokens t
                    WHERE t.family_id = ${claims.familyId} AND t.user_id = u.id AND t.revoked_at IS NULL)`);
  if (!row) return null;
  const { platformAdmin, roles } = row;
  return { kind: "user", userId: claims.userId, platformAdmin, roles: new Map(Object.entries(roles)) };
}

/**
 * Whose session it is, with what they may see: they were nobody yet when they asked for it. Throws `UnauthenticatedError` where
 * it has been ended since.
 */
export async function findSessionUser(hub: Hub, session: Session, query: Prisma.UserDefaultArgs): Promise<User> {
  const { user, familyId } = session;
  const actor = await findActor(hub, { userId: user.id, tokenGeneration: user.tokenGeneration, familyId });
  if (!actor) throw new UnauthenticatedError();
  return hubFor(hub, actor).db.user.findUniqueOrThrow({ ...query, where: { id: user.id } });
}

/** The next token of a family, or the first of a new one. The caller holds the user's lock. */
export async function beginSession(hub: Hub, tx: Transaction, user: User, familyId?: string): Promise<Session> {
  const at = await now(tx);
  const id = newId("refreshToken", at);
  const refreshToken = newToken("xvr_");
  const expiresAt = new Date(at.getTime() + hub.terms.sessionSeconds * 1000);
  // What has expired proves nothing any more: there is no need for a sweep.
  await tx.refreshToken.deleteMany({ where: { userId: user.id, expiresAt: { lt: at } } });
  const family = familyId ?? id;
  await tx.refreshToken.create({
    data: { id, userId: user.id, familyId: family, tokenHash: hashToken(refreshToken), expiresAt },
  });
  return { user, familyId: family, refreshToken, refreshTokenExpiresAt: expiresAt };
}

/** Ends every session of the user, and every access token with them; answers the user as they are then. */
export async function endSessions(tx: Transaction, user: User): Promise<User> {
  await tx.refreshToken.updateMany({ where: { userId: user.id, revokedAt: null }, data: { revokedAt: await now(tx) } });
  return tx.user.update({ where: { id: user.id }, data: { tokenGeneration: { increment: 1 } } });
}

/** The user, while nobody else begins, refreshes or ends a session of theirs. */
export async function lockUser(tx: Transaction, userId: string): Promise<User | null> {
  await tx.$queryRaw`SELECT 1 FROM users WHERE id = ${userId} FOR NO KEY UPDATE`;
  return tx.user.findUnique({ where: { id: userId } });
}

/** A person as the author of what is done before they are signed in. */
export function personOf({ id, platformAdmin }: User): UserActor {
  return { kind: "user", userId: id, platformAdmin, roles: new Map() };
}

async function findHeld(tx: Transaction, refreshToken: string): Promise<{ token: RefreshToken; user: User } | null> {
  const where = { tokenHash: hashToken(refreshToken) };
  const found = await tx.refreshToken.findUnique({ where });
  const user = found && (await lockUser(tx, found.userId));
  // Once more: it may have been spent while the lock was waited for.
  const token = user && (await tx.refreshToken.findUnique({ where }));
  return token && { token, user };
}

async function endFamily(tx: Transaction, familyId: string): Promise<{ count: number }> {
  return tx.refreshToken.updateMany({ where: { familyId, revokedAt: null }, data: { revokedAt: await now(tx) } });
}
