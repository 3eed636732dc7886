// What people prove themselves with: which passwords are taken, and how they are kept and checked.
import { hash, verify } from "@node-rs/argon2";
import * as z from "zod";

// The hash of nothing anybody knows: an unknown address costs the same time as a wrong password.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$VuDapq12CYTfQvNiHFhxTA$pQ+jjeaY0rfyWH2StGDmfSHCDG9pa+MyPVrOE+LXutY";

export const emailInput = z.email("This is not an e-mail address.").max(254).toLowerCase();

export const passwordInput = z
  .string()
  .min(12, "A password has at least 12 characters.")
  .max(256, "A password has at most 256 characters.");

/** An argon2id hash as a PHC string; takes some 20 ms of a processor. */
export function hashPassword(password: string): Promise<string> {
  return hash(password);
}

/** Whether it is the password behind the hash; for null, as long as it would take to find out. */
export async function isPassword(passwordHash: string | null, password: string): Promise<boolean> {
  const right = await verify(passwordHash ?? nobodysHash, password.slice(0, 256));
  return right && passwordHash !== null;
}
