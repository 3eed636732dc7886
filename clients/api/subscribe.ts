// Subscriptions that do not break: connections come and go, tokens too, and each next connection goes on where the last one broke off.
import type { TadaDocumentNode } from "gql.tada";
import { print } from "graphql";
import type { Access } from "./access.ts";
import { ApiError } from "./api-error.ts";
import { type CursorEvent, readFeed } from "./feed.ts";
import { pause } from "./pause.ts";

export type { CursorEvent } from "./feed.ts";

export interface WatchOptions {
  /** Cursor of the last event seen, to go on from there. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For how long to try again while the hub is away, in milliseconds; 10 minutes where it is not set. */
  readonly patienceMs?: number;
}

export interface SubscribeOptions<Event> extends WatchOptions {
  /** Whether the hub may end the feed after this event; otherwise its end is a connection that broke, and it goes on. */
  readonly isLast?: (event: Event) => boolean;
  /** Whether an event says nothing that the one before has not said: what the hub begins with after a reconnection. */
  readonly isRepeat?: (event: Event, last: Event) => boolean;
  /** Whether `event` makes one needless that a slow reader has not read yet. */
  readonly supersedes?: (event: Event, waiting: Event) => boolean;
}

const firstPauseMs = 250;
const longestPauseMs = 5_000;

export async function* subscribe<Event extends CursorEvent, Variables>(
  access: Access,
  document: TadaDocumentNode<Readonly<Record<string, Event>>, Variables>,
  variables: Omit<Variables, "after">,
  options: SubscribeOptions<Event> = {},
): AsyncGenerator<Event, void, undefined> {
  const { after, signal, patienceMs = 600_000, isLast, isRepeat, supersedes } = options;
  const query = print(document);
  let last: Event | undefined;
  let refused: string | undefined;
  let heardAt = performance.now();
  for (let attempt = 0; ; attempt++) {
    let lost: ApiError | undefined;
    let token: string | undefined;
    try {
      signal?.throwIfAborted();
      token = await access.bearer.accessToken(refused);
      if (refused !== undefined && token === refused) throw refusedFeed(access);
      const asked = { query, variables: { ...variables, after: last?.cursor ?? after ?? null } };
      for await (const event of readFeed<Event>({ ...access, token, ...asked, signal, supersedes })) {
        heardAt = performance.now();
        refused = undefined;
        if (last && isRepeat?.(event, last)) continue;
        attempt = 0;
        last = event;
        yield event;
        heardAt = performance.now();
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Once with another token, until there was an event again.
      const mayRenew = error.code === "UNAUTHENTICATED" && token !== undefined && refused === undefined;
      if (mayRenew) refused = token;
      else if (!error.retryable) throw error;
      lost = error;
      if (mayRenew) continue;
    }
    if (last && isLast?.(last) && !lost) return;
    const pauseMs = Math.random() * Math.min(firstPauseMs * 2 ** attempt, longestPauseMs);
    if (performance.now() + pauseMs - heardAt > patienceMs) throw lost ?? endedEarly(access);
    await pause(pauseMs, signal);
  }
}

function refusedFeed({ endpoint }: Access): ApiError {
  return new ApiError("UNAUTHENTICATED", `The hub at ${endpoint.origin} refuses the live feed: sign in again.`);
}

function endedEarly({ endpoint }: Access): ApiError {
  return new ApiError("UNREACHABLE", `The hub at ${endpoint.origin} ends the live feed again and again.`);
}
