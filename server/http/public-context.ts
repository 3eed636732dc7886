// Turns a request's token into what a public operation knows of its caller.
import type { Actor } from "../../domain/actor.ts";
import { UnauthenticatedError } from "../../domain/errors.ts";
import { type Hub, hubFor } from "../../domain/hub.ts";
import type { Live, PublicContext } from "../../schema/public/context.ts";
import type { Authentication, Identity } from "../authenticate.ts";

export interface ContextMaker {
  readonly hub: Hub;
  readonly authentication: Authentication;
  readonly live: Live;
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

/** Makes the context of each request; what it learns of somebody is shared by all requests with the same token. */
export function publicContexts({
  hub,
  authentication,
  live,
}: ContextMaker): (caller: Caller) => Promise<PublicContext> {
  const freshActor = freshActors();
  return async ({ authorization, address }) => {
    const token = typeof authorization === "string" ? authorization : null;
    const identity = await authentication.identify(token);
    return {
      hub: hubFor(hub, identity?.actor ?? null),
      live,
      sessions: authentication,
      address,
      actor() {
        if (!identity) throw new UnauthenticatedError();
        return identity.actor;
      },
      currentActor: async () => (identity && token ? freshActor(token, identity) : null),
    };
  };
}

/**
 * Asks Postgres at most every two seconds who somebody is by now, once for all that they watch; null once their token has expired or
 * they are let in no more.
 */
function freshActors(): (token: string, identity: Identity) => Promise<Actor | null> {
  const answers = new Map<string, { readonly answer: Promise<Actor | null>; readonly atMs: number }>();
  return (token, { expiresAtMs, again }) => {
    if (Date.now() >= expiresAtMs) return Promise.resolve(null);
    const atMs = performance.now();
    const known = answers.get(token);
    if (known && atMs - known.atMs <= maxAgeMs) return known.answer;
    const answer = again();
    answers.set(token, { answer, atMs });
    // Whoever asks for nothing any more is forgotten.
    const forget = setTimeout(() => {
      if (answers.get(token)?.answer === answer) answers.delete(token);
    }, 2 * maxAgeMs);
    forget.unref();
    return answer;
  };
}
