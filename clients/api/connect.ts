// The customer's way to the hub: typed queries and mutations over HTTP, and jobs watched live.
import type { TadaDocumentNode } from "gql.tada";
import { print } from "graphql";
import { z } from "zod";
import { ApiError, apiErrorOf } from "./api-error.ts";
import type { JobStep } from "./job-feed.ts";
import { type WatchOptions, watchJob } from "./watch-job.ts";

/** How long an answer may take. */
const answerTimeoutMs = 30_000;

export interface ApiAccess {
  /** Of the public surface, such as `https://vault.example.com/graphql`. */
  readonly url: string;
  /** Of a sign-in; without one, only signing in is possible. */
  readonly token?: string | undefined;
  /** How requests are sent, unless it is the platform's own way. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface QueryOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ApiClient {
  /**
   * The data of one query or mutation, within 30 seconds. Throws `ApiError`, or the reason of a signal that was aborted. A mutation
   * whose answer was lost (`UNREACHABLE`) may have happened.
   */
  query<Result, Variables>(
    document: TadaDocumentNode<Result, Variables>,
    variables: Variables,
    options?: QueryOptions,
  ): Promise<Result>;
  /**
   * Every event of a job once and in order, and the newest progress in between, however often the connection breaks. The first step
   * is the present state. Ends after the final one. Throws `ApiError`, or the reason of a signal that was aborted.
   */
  watchJob(jobId: string, options?: WatchOptions): AsyncGenerator<JobStep, void, undefined>;
}

/** Opens no connection by itself, and keeps none: there is nothing to close. */
export function connectApi({ url, token, fetch = globalThis.fetch }: ApiAccess): ApiClient {
  const endpoint = new URL(url);
  return {
    async query<Result, Variables>(
      document: TadaDocumentNode<Result, Variables>,
      variables: Variables,
      { signal }: QueryOptions = {},
    ) {
      const body = JSON.stringify({ query: print(document), variables });
      return (await send({ endpoint, token, fetch, body, signal })) as Result;
    },
    watchJob: (jobId, options) => watchJob({ endpoint, token }, jobId, options),
  };
}

interface Call {
  readonly endpoint: URL;
  readonly token: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly body: string;
  readonly signal: AbortSignal | undefined;
}

async function send({ endpoint, token, fetch, body, signal }: Call): Promise<unknown> {
  const deadline = AbortSignal.timeout(answerTimeoutMs);
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        "content-type": "application/json",
        accept: "application/json",
      },
      body,
      // A redirect would take the token to another host.
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    return readAnswer(response.status, await response.text(), endpoint);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ApiError) throw error;
    const what = deadline.aborted ? `gave no answer within ${answerTimeoutMs / 1000} seconds` : "cannot be reached";
    throw new ApiError("UNREACHABLE", `The hub at ${endpoint.origin} ${what}.`, { cause: error });
  }
}

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
});

function readAnswer(status: number, text: string, { origin }: URL): unknown {
  const answer = answerSchema.safeParse(parseJson(text)).data;
  const error = answer?.errors?.[0];
  if (error) throw apiErrorOf(error, codeOf(status));
  if (answer?.data && status === 200) return answer.data;
  throw new ApiError(codeOf(status), `${origin} does not answer like a hub of xVault (HTTP status ${status}).`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(status: number): string {
  if (status === 401) return "UNAUTHENTICATED";
  if (status === 429) return "RATE_LIMITED";
  return status >= 500 ? "UNREACHABLE" : "BAD_ANSWER";
}
