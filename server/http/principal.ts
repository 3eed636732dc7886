// Names whom an operation is counted for: a person, an API key, or the address of somebody who is neither.
import type { IncomingMessage } from "node:http";
import type { Actor } from "../../domain/actor.ts";
import { UnauthenticatedError } from "../../domain/errors.ts";
import { clientAddress } from "./client-address.ts";

export interface Principal {
  readonly key: string;
  /** Whether they are signed in. */
  readonly known: boolean;
}

export function principalOf(
  { actor, req }: { readonly actor: () => Actor; readonly req: IncomingMessage },
  proxies: number,
): Principal {
  const who = signedIn(actor);
  return who ? { key: keyOf(who), known: true } : { key: `address:${clientAddress(req, proxies)}`, known: false };
}

export function keyOf(actor: Actor): string {
  switch (actor.kind) {
    case "user":
      return `user:${actor.userId}`;
    case "apiKey":
      return `apiKey:${actor.apiKeyId}`;
    case "system":
      return "system";
  }
}

function signedIn(actor: () => Actor): Actor | null {
  try {
    return actor();
  } catch (error) {
    if (error instanceof UnauthenticatedError) return null;
    throw error;
  }
}
