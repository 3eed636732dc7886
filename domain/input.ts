// Parses what a customer sends, once, into what the domain trusts.
import * as z from "zod";
import { InvalidInputError } from "./errors.ts";

/** Returns the parsed input; throws `InvalidInputError` naming every fault. */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new InvalidInputError(
    result.error.issues.map((issue) => ({ path: issue.path.join("."), message: sentence(issue.message) })),
  );
}

/** A name that a person gives to a thing: visible characters, no line breaks, 1 to 100 of them. */
export const nameInput = z
  .string()
  .trim()
  .min(1, "A name has at least one character.")
  .max(100, "A name has at most 100 characters.")
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "A name has no control characters.");

/** The fingerprint of an SSH host key, as OpenSSH shows it. */
export const hostKeyInput = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "A host key looks like SHA256:….");

function sentence(message: string): string {
  return message.endsWith(".") ? message : `${message}.`;
}
