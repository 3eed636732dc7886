// Turns a request's token into what a public operation knows of its caller.
import { UnauthenticatedError } from "../../domain/errors.ts";
import { type Hub, hubFor } from "../../domain/hub.ts";
import { findActor } from "../../domain/users.ts";
import type { LiveJobs, PublicContext } from "../../schema/public/context.ts";
import type { Authentication, Identity } from "../authenticate.ts";

export interface ContextMaker {
  readonly hub: Hub;
  readonly authentication: Authentication;
  readonly live: LiveJobs;
}

/** How long an answer to “may they still?” is good for. */
const maxAgeMs = 2_000;

export async function publicContext(
  { hub, authentication, live }: ContextMaker,
  authorization: unknown,
): Promise<PublicContext> {
  const identity = await authentication.identify(typeof authorization === "string" ? authorization : null);
  return {
    hub: hubFor(hub, identity?.actor ?? null),
    live,
    sessions: authentication,
    actor() {
      if (!identity) throw new UnauthenticatedError();
      return identity.actor;
    },
    currentActor: identity ? freshActor(hub, identity) : async () => null,
  };
}

/** Asks Postgres at most every two seconds who somebody is by now; null once their token has expired. */
function freshActor(hub: Hub, { actor, tokenGeneration, expiresAtMs }: Identity): PublicContext["currentActor"] {
  let known: ReturnType<PublicContext["currentActor"]> = Promise.resolve(actor);
  let knownAtMs = performance.now();
  return () => {
    if (Date.now() >= expiresAtMs) return Promise.resolve(null);
    if (performance.now() - knownAtMs > maxAgeMs) {
      knownAtMs = performance.now();
      known = findActor(hub, actor.userId, tokenGeneration);
    }
    return known;
  };
}
