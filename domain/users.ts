// People: how they prove who they are, and which roles they have right now.
import { hash, verify } from "@node-rs/argon2";
import * as z from "zod";
import type { Prisma, User } from "../prisma/client/client.ts";
import type { Actor, UserActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { SignInFailedError } from "./errors.ts";
import { asPlatform, type Hub, now, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { parseInput } from "./input.ts";

const system: Actor = { kind: "system" };

// The hash of nothing anybody knows: an unknown address costs the same time as a wrong password.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$VuDapq12CYTfQvNiHFhxTA$pQ+jjeaY0rfyWH2StGDmfSHCDG9pa+MyPVrOE+LXutY";

const emailInput = z.email("This is not an e-mail address.").max(254).toLowerCase();
const passwordInput = z
  .string()
  .min(12, "A password has at least 12 characters.")
  .max(256, "A password has at most 256 characters.");

export interface SignInInput {
  readonly email: string;
  readonly password: string;
}

/** Throws `SignInFailedError`, the same and after the same time for an unknown address as for a wrong password. */
export async function signIn(hub: Hub, input: SignInInput): Promise<User> {
  const email = emailInput.safeParse(input.email.trim());
  const user = email.success ? await hub.platform.user.findUnique({ where: { email: email.data } }) : null;
  const right = await verify(user?.passwordHash ?? nobodysHash, input.password.slice(0, 256));
  if (!user || !right) throw new SignInFailedError();
  await audit(
    hub.platform,
    { kind: "user", userId: user.id, platformAdmin: false, roles: new Map() },
    {
      tenantId: null,
      verb: "signIn",
      objectId: user.id,
    },
  );
  return user;
}

/** The actor behind a signed-in user, with the roles of this moment; null where the user is gone or signed out everywhere. */
export async function findActor(hub: Hub, userId: string, tokenGeneration: number): Promise<UserActor | null> {
  const user = await hub.platform.user.findUnique({ where: { id: userId }, include: { memberships: true } });
  if (!user || user.tokenGeneration !== tokenGeneration) return null;
  return {
    kind: "user",
    userId: user.id,
    platformAdmin: user.platformAdmin,
    roles: new Map(user.memberships.map((membership) => [membership.tenantId, membership.role])),
  };
}

export async function findViewer(hub: Hub, actor: Actor, query: Prisma.UserDefaultArgs = {}): Promise<User | null> {
  return actor.kind === "user" ? hub.platform.user.findUnique({ ...query, where: { id: actor.userId } }) : null;
}

/** Makes an account; the platform's first owner is made this way. Throws `InvalidInputError`. */
export async function createUser(
  hub: Hub,
  input: { email: string; password: string; name: string; platformAdmin: boolean },
): Promise<User> {
  const email = parseInput(emailInput, input.email);
  const passwordHash = await hash(parseInput(passwordInput, input.password));
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
