// Makes tokens and the hashes that are kept in their place.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A token of 256 random bits, base64url, behind a prefix that says what it opens. Shown once, never stored. */
export function newToken(prefix: string): string {
  return `${prefix}${randomBytes(32).toString("base64url")}`;
}

/** What is stored of a token. Plain SHA-256 is enough: a 256-bit token cannot be guessed. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Whether two hashes of tokens are the same, found out in the same time whatever they are. */
export function isSameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
