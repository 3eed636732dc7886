// The data plane's way to the hub: one typed method per operation of the private surface, each with a deadline.
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { ResultOf, TadaDocumentNode } from "gql.tada";
// Not from "graphql" itself: the rest of it would cost every process of the data plane its memory.
import { print } from "graphql/language/printer.js";
import { z } from "zod";
import { graphql } from "./graphql.ts";
import { HubError } from "./hub-error.ts";

/** The version of the private protocol that this client speaks. */
export const protocolVersion = 2;

/** How long one try may take. */
const callTimeoutMs = 10_000;
const firstPauseMs = 250;
const longestPauseMs = 5_000;

const claimedJob = graphql(`
  fragment ClaimedJobFacts on ClaimedJob @_unmask {
    jobId tenantId type leaseEpoch leaseSeconds timeLimitSeconds attempt
    source { sourceId type config hostKey jumpHostKey hasCredential }
    backup { snapshotId recipients maxBytes maxBytesPerSecond }
    snapshot { snapshotId sourceId manifestSha256 artifactSha256 storageWorkerId }
    restore { restoreId form selection tokenHash maxDownloadBytes fileName }
    check { depth rateBytes }
  }
`);

const documents = {
  hello: graphql(
    `query Hello($protocol: Int!) { hello(protocol: $protocol) { protocol oldestProtocol newestProtocol serverTime } }`,
  ),
  registerWorker: graphql(
    `mutation RegisterWorker($input: RegisterWorkerInput!) {
      registerWorker(input: $input) { workerId leaseSeconds heartbeatSeconds storedSnapshots }
    }`,
  ),
  heartbeat: graphql(`mutation Heartbeat($input: HeartbeatInput!) { heartbeat(input: $input) { serverTime } }`),
  claimJob: graphql(`mutation ClaimJob($input: ClaimJobInput!) { claimJob(input: $input) { ...ClaimedJobFacts } }`, [
    claimedJob,
  ]),
  claimJobs: graphql(
    `mutation ClaimJobs($input: ClaimJobsInput!) { claimJobs(input: $input) { ...ClaimedJobFacts } }`,
    [claimedJob],
  ),
  claimSecrets: graphql(`mutation ClaimSecrets($input: LeaseInput!) { claimSecrets(input: $input) { sealed } }`),
  renewLease: graphql(
    `mutation RenewLease($input: LeaseInput!) { renewLease(input: $input) { leaseSeconds cancelRequested } }`,
  ),
  enterPhase: graphql(
    `mutation EnterPhase($input: EnterPhaseInput!) { enterPhase(input: $input) { jobId leaseEpoch } }`,
  ),
  recordLog: graphql(`mutation RecordLog($input: RecordLogInput!) { recordLog(input: $input) { jobId leaseEpoch } }`),
  completeJob: graphql(
    `mutation CompleteJob($input: CompleteJobInput!) { completeJob(input: $input) { jobId leaseEpoch } }`,
  ),
  completeJobs: graphql(
    `mutation CompleteJobs($input: CompleteJobsInput!) { completeJobs(input: $input) { jobId leaseEpoch lost } }`,
  ),
  completeRestore: graphql(
    `mutation CompleteRestore($input: CompleteRestoreInput!) { completeRestore(input: $input) { expiresAt } }`,
  ),
  failJob: graphql(`mutation FailJob($input: FailJobInput!) { failJob(input: $input) { jobId leaseEpoch } }`),
  releaseJob: graphql(`mutation ReleaseJob($input: LeaseInput!) { releaseJob(input: $input) { jobId leaseEpoch } }`),
  reconcileStore: graphql(
    `mutation ReconcileStore($input: ReconcileStoreInput!) { reconcileStore(input: $input) { remove } }`,
  ),
  compareStore: graphql(
    `mutation CompareStore($input: CompareStoreInput!) {
      compareStore(input: $input) {
        unknown remove missing { snapshotId directory } returned { snapshotId manifestSha256 }
      }
    }`,
  ),
  weighArtifact: graphql(
    `mutation WeighArtifact($input: WeighArtifactInput!) { weighArtifact(input: $input) { verdict urgent reason } }`,
  ),
  adoptSnapshot: graphql(
    `mutation AdoptSnapshot($input: AdoptSnapshotInput!) { adoptSnapshot(input: $input) { verdict urgent reason } }`,
  ),
  reportMissing: graphql(
    `mutation ReportMissing($input: ReportMissingInput!) { reportMissing(input: $input) { snapshotIds } }`,
  ),
  reportReturned: graphql(
    `mutation ReportReturned($input: ReportReturnedInput!) { reportReturned(input: $input) { returned } }`,
  ),
  reportInventory: graphql(
    `mutation ReportInventory($input: ReportInventoryInput!) { reportInventory(input: $input) { at } }`,
  ),
  reconcileRestores: graphql(
    `mutation ReconcileRestores($input: ReconcileRestoresInput!) { reconcileRestores(input: $input) { serve } }`,
  ),
  recordFetch: graphql(
    `mutation RecordFetch($input: RecordFetchInput!) { recordFetch(input: $input) { timesFetched } }`,
  ),
};

export type ClaimedJob = ResultOf<typeof claimedJob>;

export interface HubAccess {
  /** Of the private surface, without a path. */
  readonly baseUrl: string;
  readonly token: string;
  /** Ends every call of this client. */
  readonly signal?: AbortSignal | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For how long to try again while the hub is away or stumbles, in milliseconds. 0, the default: one try. */
  readonly retryForMs?: number | undefined;
}

export type HubClient = ReturnType<typeof connectHub>;

/** Opens no connection by itself. Methods throw `HubError`, or the reason of a signal that was aborted. */
export function connectHub({ baseUrl, token, signal: ended }: HubAccess) {
  const endpoint = new URL("/internal/graphql", baseUrl);

  async function call<Result, Variables>(
    document: TadaDocumentNode<Result, Variables>,
    variables: Variables,
    { signal, retryForMs = 0 }: CallOptions = {},
  ): Promise<Result> {
    const interrupted = AbortSignal.any([signal, ended].filter((each) => each !== undefined));
    const body = JSON.stringify({ query: print(document), variables });
    const giveUpAt = performance.now() + retryForMs;
    for (let attempt = 0; ; attempt++) {
      interrupted.throwIfAborted();
      try {
        return (await send({ endpoint, token, body, interrupted })) as Result;
      } catch (error) {
        const leftMs = giveUpAt - performance.now();
        if (!(error instanceof HubError && error.retryable) || leftMs <= 0) throw error;
        // The last try is made at the very end, however long the pauses have become.
        const pauseMs = Math.min(Math.random() * Math.min(firstPauseMs * 2 ** attempt, longestPauseMs), leftMs);
        await pause(pauseMs, undefined, { signal: interrupted }).catch(() => interrupted.throwIfAborted());
      }
    }
  }

  /** The method of a mutation that takes one `input`. */
  function command<Field extends string, Payload, Input>(
    field: Field,
    document: TadaDocumentNode<Record<Field, Payload>, { input: Input }>,
  ) {
    return async (input: Input, options?: CallOptions): Promise<Payload> =>
      (await call(document, { input }, options))[field];
  }

  return {
    hello: async (options?: CallOptions) => (await call(documents.hello, { protocol: protocolVersion }, options)).hello,
    registerWorker: command("registerWorker", documents.registerWorker),
    heartbeat: command("heartbeat", documents.heartbeat),
    /** Not to be repeated: a claim whose answer was lost comes back by itself when its lease runs out. */
    claimJob: command("claimJob", documents.claimJob),
    /** As `claimJob`, several at once. */
    claimJobs: command("claimJobs", documents.claimJobs),
    claimSecrets: command("claimSecrets", documents.claimSecrets),
    renewLease: command("renewLease", documents.renewLease),
    enterPhase: command("enterPhase", documents.enterPhase),
    recordLog: command("recordLog", documents.recordLog),
    completeJob: command("completeJob", documents.completeJob),
    /** As `completeJob`, several at once; says of each whether its lease was lost. */
    completeJobs: command("completeJobs", documents.completeJobs),
    completeRestore: command("completeRestore", documents.completeRestore),
    failJob: command("failJob", documents.failJob),
    releaseJob: command("releaseJob", documents.releaseJob),
    /** As workers did before there was `compareStore`. */
    reconcileStore: command("reconcileStore", documents.reconcileStore),
    compareStore: command("compareStore", documents.compareStore),
    weighArtifact: command("weighArtifact", documents.weighArtifact),
    adoptSnapshot: command("adoptSnapshot", documents.adoptSnapshot),
    reportMissing: command("reportMissing", documents.reportMissing),
    reportReturned: command("reportReturned", documents.reportReturned),
    reportInventory: command("reportInventory", documents.reportInventory),
    reconcileRestores: command("reconcileRestores", documents.reconcileRestores),
    /** Not to be repeated: every call counts as one fetch. */
    recordFetch: command("recordFetch", documents.recordFetch),
  };
}

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.object({ code: z.string().optional() }).optional() }))
    .optional(),
});

async function send(request: {
  endpoint: URL;
  token: string;
  body: string;
  interrupted: AbortSignal;
}): Promise<unknown> {
  const { endpoint, token, body, interrupted } = request;
  const requestId = randomUUID();
  let status: number;
  let text: string;
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json",
        "x-request-id": requestId,
      },
      body,
      // A redirect would take the token to another host.
      redirect: "error",
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(callTimeoutMs)]),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    interrupted.throwIfAborted();
    throw new HubError("UNREACHABLE", "the hub could not be reached", { cause: error, requestId });
  }
  return readAnswer(status, text, requestId);
}

function readAnswer(status: number, text: string, requestId: string): unknown {
  const answer = answerSchema.safeParse(parseJson(text));
  const refusal = answer.data?.errors?.[0];
  if (refusal) throw new HubError(refusal.extensions?.code ?? codeOf(status), refusal.message, { requestId });
  if (answer.data?.data && status === 200) return answer.data.data;
  throw new HubError(codeOf(status), `the hub answered with status ${status}`, { requestId });
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
