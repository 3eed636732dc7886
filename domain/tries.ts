// How often a secret may be tried: at one account, with one token, and from one address.
import ipaddr from "ipaddr.js";
import { RateLimitedError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import { hashToken } from "./secrets.ts";

const seconds = 900;
const triesPerToken = 10;
const triesPerAddress = 100;

/** Where a request comes from, such as `198.51.100.7`; null where that is not known. */
export type Address = string | null;

/** Counts a password that is about to be checked; `account` is an e-mail address, known or not. Throws `RateLimitedError`. */
export async function takePasswordTry(hub: Hub, account: string, address: Address): Promise<void> {
  await takeFrom(hub, "password", address, triesPerAddress);
  const email = account.trim().toLowerCase();
  await take(hub, `password:account:${hashToken(email)}`, hub.terms.passwordTries);
}

/**
 * Counts a token that is about to be looked up. `fromAddress`: how many of one address are none too many, where it is not a
 * hundred. Throws `RateLimitedError`.
 */
export async function takeTokenTry(
  hub: Hub,
  verb: string,
  { token, address, fromAddress = triesPerAddress }: { token: string; address: Address; fromAddress?: number },
): Promise<void> {
  await takeFrom(hub, verb, address, fromAddress);
  await take(hub, `${verb}:token:${hashToken(token)}`, triesPerToken);
}

async function takeFrom(hub: Hub, verb: string, address: Address, count: number): Promise<void> {
  // An address of a private network is a proxy's: whoever comes through it would be kept out together.
  if (address === null || !ipaddr.isValid(address)) return;
  const known = ipaddr.process(address);
  if (known.range() === "unicast") await take(hub, `${verb}:address:${hashToken(known.toString())}`, count);
}

async function take(hub: Hub, key: string, count: number): Promise<void> {
  if (!(await hub.rates.take(key, { count, seconds }))) throw new RateLimitedError("attempts", "a quarter of an hour");
}
