// Turns a request's token into what a public operation knows of its caller.
import type { Actor } from "../../domain/actor.ts";
import { UnauthenticatedError } from "../../domain/errors.ts";
import { type Hub, hubFor } from "../../domain/hub.ts";
import type { LiveJobs, PublicContext } from "../../schema/public/context.ts";
import type { Authentication, Identity } from "../authenticate.ts";

export interface ContextMaker {
  readonly hub: Hub;
  readonly authentication: Authentication;
  readonly live: LiveJobs;
}

/** What a request brings along. */
export interface Caller {
  /** As in the header of that name, over HTTP, or in the parameters of a socket; whatever it is, nobody has looked at it. */
  readonly authorization: unknown;
  /** Of the other end of the connection. */
  readonly address: string | null;
}

/** How long an answer to “may they still?” is good for. */
const maxAgeMs = 2_000;

export async function publicContext(
  { hub, authentication, live }: ContextMaker,
  { authorization, address }: Caller,
): Promise<PublicContext> {
  const identity = await authentication.identify(typeof authorization === "string" ? authorization : null);
  return {
    hub: hubFor(hub, identity?.actor ?? null),
    live,
    sessions: authentication,
    address,
    actor() {
      if (!identity) throw new UnauthenticatedError();
      return identity.actor;
    },
    currentActor: identity ? freshActor(identity) : async () => null,
  };
}

/**
 * Asks Postgres at most every two seconds who somebody is by now; null once their token has expired or
 * they are let in no more.
 */
function freshActor({ actor, expiresAtMs, again }: Identity): PublicContext["currentActor"] {
  let known: Promise<Actor | null> = Promise.resolve(actor);
  let knownAtMs = performance.now();
  return () => {
    if (Date.now() >= expiresAtMs) return Promise.resolve(null);
    if (performance.now() - knownAtMs > maxAgeMs) {
      knownAtMs = performance.now();
      known = again();
    }
    return known;
  };
}
