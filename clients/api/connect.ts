// The customer's way to the hub: typed queries and mutations over HTTP, and everything that can be watched live.
import type { TadaDocumentNode } from "gql.tada";
import { print } from "graphql";
import { type Access, type Bearer, fixedToken } from "./access.ts";
import { ApiError } from "./api-error.ts";
import { type JobStep, type JobsChange, jobsChanged } from "./jobs.ts";
import { post } from "./post.ts";
import { accepted, type Payload } from "./refusal.ts";
import { type SnapshotsChange, snapshotsChanged } from "./snapshots.ts";
import { type CursorEvent, type SubscribeOptions, subscribe, type WatchOptions } from "./subscribe.ts";
import { watchJob } from "./watch-job.ts";
import { type WatchedPart, watchRows } from "./watch-rows.ts";
import { type WorkersChange, workersChanged } from "./workers.ts";

export interface ApiAccess {
  /** Of the public surface, such as `https://vault.example.com/graphql`. */
  readonly url: string;
  /** Who asks: a session of a person, see `session.ts`. */
  readonly session?: Bearer | undefined;
  /** Who asks, instead of a session: an API key. Without either, only signing in is possible. */
  readonly token?: string | undefined;
  /** How requests are sent, unless it is the platform's own way. */
  readonly fetch?: typeof globalThis.fetch;
}

export interface QueryOptions {
  /** How long the answer may take, in milliseconds; 30 seconds where it is not set. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ApiClient {
  /**
   * The data of one query or mutation. Throws `ApiError`, or the reason of a signal that was aborted. A mutation
   * whose answer was lost (`UNREACHABLE`) may have happened.
   */
  query<Result, Variables>(
    document: TadaDocumentNode<Result, Variables>,
    variables: Variables,
    options?: QueryOptions,
  ): Promise<Result>;
  /** The payload of a mutation that takes one `input`. Throws as `query` does, and `RefusedError` where the hub says no. */
  mutate<Answer extends { readonly __typename: string }, Input>(
    document: TadaDocumentNode<Readonly<Record<string, Answer>>, { readonly input: Input }>,
    input: Input,
    options?: QueryOptions,
  ): Promise<Extract<Answer, Payload>>;
  /**
   * Every event of a subscription, however often the connection breaks or the token is renewed: each next connection goes on behind
   * the cursor of the last event. Throws `ApiError`, or the reason of a signal that was aborted.
   */
  subscribe<Event extends CursorEvent, Variables>(
    document: TadaDocumentNode<Readonly<Record<string, Event>>, Variables>,
    variables: Omit<Variables, "after">,
    options?: SubscribeOptions<Event>,
  ): AsyncGenerator<Event, void, undefined>;
  /**
   * Every event of a job once and in order, and the newest progress in between, however often the connection breaks. The first step
   * is the present state. Ends after the final one. Throws `ApiError`, or the reason of a signal that was aborted.
   */
  watchJob(jobId: string, options?: WatchOptions): AsyncGenerator<JobStep, void, undefined>;
  /**
   * The jobs of a tenant or of a source that have not ended, then an event without a job, once, and then each job that changes, as it is
   * by then. Never ends by itself. Throws `ApiError`, or the reason of a signal that was aborted.
   */
  watchJobs(part: WatchedPart, options?: WatchOptions): AsyncGenerator<JobsChange, void, undefined>;
  /** The newest snapshots, and then each that changes; otherwise as `watchJobs`. */
  watchSnapshots(part: WatchedPart, options?: WatchOptions): AsyncGenerator<SnapshotsChange, void, undefined>;
  /** The workers, and then each that changes, for operators; otherwise as `watchJobs`. */
  watchWorkers(options?: WatchOptions): AsyncGenerator<WorkersChange, void, undefined>;
}

/** Opens no connection by itself, and keeps none: there is nothing to close. */
export function connectApi({ url, session, token, fetch = globalThis.fetch }: ApiAccess): ApiClient {
  const access: Access = { endpoint: new URL(url), bearer: session ?? fixedToken(token), fetch };
  async function query<Result, Variables>(
    document: TadaDocumentNode<Result, Variables>,
    variables: Variables,
    options: QueryOptions = {},
  ): Promise<Result> {
    return (await send(access, JSON.stringify({ query: print(document), variables }), options)) as Result;
  }
  return {
    query,
    async mutate(document, input, options) {
      const [answer] = Object.values(await query(document, { input }, options));
      if (!answer) throw new ApiError("BAD_ANSWER", `${access.endpoint.origin} has answered another question.`);
      return accepted(answer);
    },
    subscribe: (document, variables, options) => subscribe(access, document, variables, options),
    watchJob: (jobId, options) => watchJob(access, jobId, options),
    watchJobs: (part, options) => watchRows(access, jobsChanged, part, { ...options, rowOf: ({ job }) => job }),
    watchSnapshots: (part, options) =>
      watchRows(access, snapshotsChanged, part, { ...options, rowOf: ({ snapshot }) => snapshot }),
    watchWorkers: (options) => watchRows(access, workersChanged, {}, { ...options, rowOf: ({ worker }) => worker }),
  };
}

/** Once more with another token where the first is refused: nothing was done with it. */
async function send(access: Access, body: string, options: QueryOptions): Promise<unknown> {
  const { bearer, ...rest } = access;
  const { signal, timeoutMs = 30_000 } = options;
  signal?.throwIfAborted();
  const token = await bearer.accessToken();
  const call = { ...rest, body, signal, timeoutMs };
  try {
    return await post({ ...call, token });
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "UNAUTHENTICATED") || token === undefined) throw error;
    const renewed = await bearer.accessToken(token);
    if (renewed === token) throw error;
    return post({ ...call, token: renewed });
  }
}
