// People: their accounts, and what they say of themselves.
import * as z from "zod";
import type { Prisma, User } from "../prisma/client/client.ts";
import { type Actor, authorizePerson, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { asPlatform, type Hub, now, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { emailInput, hashPassword, passwordInput } from "./passwords.ts";

const system: Actor = { kind: "system" };
const updateViewerInput = z.object({ name: nameInput });

export async function findViewer(hub: Hub, actor: Actor, query: Prisma.UserDefaultArgs = {}): Promise<User | null> {
  return actor.kind === "user" ? hub.db.user.findUnique({ ...query, where: { id: actor.userId } }) : null;
}

/** Changes what the caller is called. */
export async function updateViewer(hub: Hub, actor: Actor, input: { name: string }): Promise<User> {
  const { userId } = authorizePerson(actor);
  const { name } = parseInput(updateViewerInput, input);
  return transact(hub, async (tx) => {
    const before = await tx.user.findUniqueOrThrow({ where: { id: userId }, select: { name: true } });
    const user = await tx.user.update({ where: { id: userId }, data: { name, updatedAt: await now(tx) } });
    await audit(tx, actor, { tenantId: null, verb: "updateViewer", objectId: userId, before, after: { name } });
    return user;
  });
}

/** Everybody who has an account: outside of the wall, so `query` leads no further. Throws `ForbiddenError` but for operators. */
export function listUsers(hub: Hub, actor: Actor, query: Prisma.UserFindManyArgs): Promise<User[]> {
  authorizePlatform(actor);
  return hub.platform.user.findMany(query);
}

/** Throws `ForbiddenError` for everybody but operators. */
export function countAllUsers(hub: Hub, actor: Actor): Promise<number> {
  authorizePlatform(actor);
  return countUsers(hub);
}

/** Makes an account; the platform's first owner is made this way. Throws `InvalidInputError`. */
export async function createUser(
  hub: Hub,
  input: { email: string; password: string; name: string; platformAdmin: boolean },
): Promise<User> {
  const email = parseInput(emailInput, input.email);
  const passwordHash = await hashPassword(parseInput(passwordInput, input.password));
  return transact(asPlatform(hub), async (tx) => {
    const user = await tx.user.create({
      data: {
        id: newId("user", await now(tx)),
        email,
        name: input.name,
        passwordHash,
        platformAdmin: input.platformAdmin,
      },
    });
    await audit(tx, system, { tenantId: null, verb: "createUser", objectId: user.id, after: { email } });
    return user;
  });
}

export async function countUsers(hub: Hub): Promise<number> {
  return hub.platform.user.count();
}
