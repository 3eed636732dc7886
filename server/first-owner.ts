// Makes the account that a new platform is first signed in to with.
import { randomBytes } from "node:crypto";
import type { Hub } from "../domain/hub.ts";
import { countUsers, createUser } from "../domain/users.ts";

export interface FirstOwner {
  readonly email: string;
  /** Shown once; only its hash is kept. */
  readonly password: string;
}

/** Null where there are accounts already. */
export async function createFirstOwner(hub: Hub, email: string): Promise<FirstOwner | null> {
  if ((await countUsers(hub)) > 0) return null;
  const password = randomBytes(15).toString("base64url");
  await createUser(hub, { email, password, name: "Owner", platformAdmin: true });
  return { email, password };
}
