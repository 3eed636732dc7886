// One subscription over one WebSocket: its events as they come, until the hub ends it or the connection breaks.
import { type Client, createClient } from "graphql-ws/client";
import { ApiError, apiErrorOf } from "./api-error.ts";

/** Where to go on after this event. */
export interface CursorEvent {
  readonly cursor: string;
}

export interface FeedOptions<Event> {
  /** Of the public surface, over HTTP. */
  readonly endpoint: URL;
  readonly token: string | undefined;
  /** A subscription with one field. */
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal | undefined;
  /** Whether `event` makes one needless that waits to be read. */
  readonly supersedes: ((event: Event, waiting: Event) => boolean) | undefined;
}

const connectTimeoutMs = 15_000;
/** A connection that carries nothing for this long is asked whether it is still there. */
const quietMs = 12_000;
const pongTimeoutMs = 10_000;
/** So many events wait for a slow reader; then the connection is given up, and the next one brings the others. */
const mostWaiting = 1_000;

/** Close codes of graphql-ws after which the same connection would fail the same way. 4403 answers a token that is not valid. */
const fatalCloseCodes: Readonly<Record<number, string>> = {
  4400: "BAD_ANSWER",
  4401: "UNAUTHENTICATED",
  4403: "UNAUTHENTICATED",
  4406: "BAD_ANSWER",
};

/** Ends when the hub says so. Throws `ApiError`: `UNREACHABLE` where the connection broke, or was given up for a slow reader. */
export async function* readFeed<Event extends CursorEvent>(
  options: FeedOptions<Event>,
): AsyncGenerator<Event, void, undefined> {
  const { endpoint, token, query, variables, signal, supersedes } = options;
  let waiting: Event[] = [];
  let end: { readonly error: ApiError | null } | undefined;
  let news = Promise.withResolvers<void>();
  const finish = (error: ApiError | null) => {
    end ??= { error };
    news.resolve();
  };
  const put = (event: Event) => {
    if (supersedes) waiting = waiting.filter((other) => !supersedes(event, other));
    waiting.push(event);
    news.resolve();
    if (waiting.length < mostWaiting) return;
    // Not an end that the hub has told of: there is more.
    finish(new ApiError("UNREACHABLE", `The live feed of the hub at ${endpoint.origin} is faster than it is read.`));
    client.terminate();
  };

  const client = connect(endpoint, token);
  const abort = () => client.terminate();
  signal?.addEventListener("abort", abort, { once: true });
  const unsubscribe = client.subscribe<Record<string, Event>>(
    { query, variables },
    {
      next({ data, errors }) {
        if (errors?.[0]) return finish(apiErrorOf(errors[0], "BAD_ANSWER"));
        const [event] = Object.values(data ?? {});
        if (event && !end) put(event);
      },
      error: (reason) => finish(errorOf(reason, endpoint)),
      complete: () => finish(null),
    },
  );
  try {
    for (;;) {
      signal?.throwIfAborted();
      const event = waiting.shift();
      if (event) yield event;
      else if (end?.error) throw end.error;
      else if (end) return;
      else {
        await news.promise;
        news = Promise.withResolvers();
      }
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    unsubscribe();
  }
}

/** Connects at the first subscription and parts with the last; a silent connection counts as broken. */
function connect(endpoint: URL, token: string | undefined): Client {
  const url = new URL(endpoint);
  url.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const expectWithin = (ms: number) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => client.terminate(), ms);
  };
  const relax = () => clearTimeout(watchdog);
  const client = createClient({
    url: url.href,
    retryAttempts: 0,
    keepAlive: quietMs,
    ...(token !== undefined && { connectionParams: { authorization: `Bearer ${token}` } }),
    on: {
      connecting: () => expectWithin(connectTimeoutMs),
      connected: relax,
      ping: (received) => {
        if (!received) expectWithin(pongTimeoutMs);
      },
      pong: (received) => {
        if (received) relax();
      },
      closed: relax,
    },
  });
  return client;
}

/** graphql-ws reports refusals as a list, and everything about the connection as an event. */
function errorOf(reason: unknown, endpoint: URL): ApiError {
  if (Array.isArray(reason) && reason[0]) return apiErrorOf(reason[0], "BAD_ANSWER");
  const closeCode = isObject(reason) && typeof reason.code === "number" ? reason.code : 0;
  const code = fatalCloseCodes[closeCode];
  if (code) return new ApiError(code, `The hub at ${endpoint.origin} refuses the live feed.`, { cause: reason });
  return new ApiError("UNREACHABLE", `The live feed of the hub at ${endpoint.origin} broke off.`, { cause: reason });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
