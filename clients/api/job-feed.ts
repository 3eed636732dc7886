// One subscription to a job over one WebSocket: its steps as they come, until the hub ends it or the connection breaks.
import type { ResultOf } from "gql.tada";
import { print } from "graphql";
import { type Client, createClient } from "graphql-ws/client";
import { ApiError, apiErrorOf } from "./api-error.ts";
import { jobProgressed } from "./jobs.ts";

export type JobStep = ResultOf<typeof jobProgressed>["jobProgressed"];

export interface FeedAccess {
  /** Of the public surface, over HTTP. */
  readonly endpoint: URL;
  readonly token: string | undefined;
}

export interface FeedOptions {
  readonly jobId: string;
  /** Cursor of the last step seen. */
  readonly after: string | undefined;
  readonly signal: AbortSignal | undefined;
}

const connectTimeoutMs = 15_000;
/** A connection that carries nothing for this long is asked whether it is still there. */
const quietMs = 12_000;
const pongTimeoutMs = 10_000;

/** Close codes of graphql-ws after which the same connection would fail the same way. 4403 answers a token that is not valid. */
const fatalCloseCodes: Readonly<Record<number, string>> = {
  4400: "BAD_ANSWER",
  4401: "UNAUTHENTICATED",
  4403: "UNAUTHENTICATED",
  4406: "BAD_ANSWER",
};

/** Ends when the hub says so, for whatever reason. Throws `ApiError`: `UNREACHABLE` where the connection broke. */
export async function* readJobFeed(access: FeedAccess, options: FeedOptions): AsyncGenerator<JobStep, void, undefined> {
  const { jobId, after, signal } = options;
  const steps: JobStep[] = [];
  let end: { readonly error: ApiError | null } | undefined;
  let news = Promise.withResolvers<void>();
  const finish = (error: ApiError | null) => {
    end ??= { error };
    news.resolve();
  };

  const client = connect(access);
  const abort = () => client.terminate();
  signal?.addEventListener("abort", abort, { once: true });
  const unsubscribe = client.subscribe<ResultOf<typeof jobProgressed>>(
    { query: print(jobProgressed), variables: { jobId, after: after ?? null } },
    {
      next({ data, errors }) {
        if (errors?.[0]) return finish(apiErrorOf(errors[0], "BAD_ANSWER"));
        if (data) put(steps, data.jobProgressed);
        news.resolve();
      },
      error: (reason) => finish(errorOf(reason, access)),
      complete: () => finish(null),
    },
  );
  try {
    for (;;) {
      signal?.throwIfAborted();
      const step = steps.shift();
      if (step) yield step;
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

/** Of progress only the newest counts, so that a slow reader costs no memory. */
function put(steps: JobStep[], step: JobStep): void {
  if (step.progress && steps.at(-1)?.progress) steps.pop();
  steps.push(step);
}

/** Connects at the first subscription and parts with the last; a silent connection counts as broken. */
function connect({ endpoint, token }: FeedAccess): Client {
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
function errorOf(reason: unknown, { endpoint }: FeedAccess): ApiError {
  if (Array.isArray(reason) && reason[0]) return apiErrorOf(reason[0], "BAD_ANSWER");
  const closeCode = isObject(reason) && typeof reason.code === "number" ? reason.code : 0;
  const code = fatalCloseCodes[closeCode];
  if (code) return new ApiError(code, `The hub at ${endpoint.origin} refuses the live feed.`, { cause: reason });
  return new ApiError("UNREACHABLE", `The live feed of the hub at ${endpoint.origin} broke off.`, { cause: reason });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
