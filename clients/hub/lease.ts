// Keeps the lease of one job alive from a thread of its own: a busy event loop cannot lose it, a silent hub cannot prolong it.
import { Worker } from "node:worker_threads";

/** The lease is over, or may be: another attempt can own the job by now, so everything must stop and nothing may be published. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
  readonly code = "LEASE_LOST";
}

/** Somebody asked for the job to end. The lease is still held, so that the end can be reported. */
export class JobCanceledError extends Error {
  override readonly name = "JobCanceledError";
  readonly code = "CANCELED";
}

export interface LeaseTerms {
  /** Of the private surface, as in `HUB_BASE_URL`. */
  readonly baseUrl: string;
  readonly token: string;
  readonly jobId: string;
  readonly leaseEpoch: number;
  readonly leaseSeconds: number;
  readonly heartbeatSeconds: number;
}

/** What the thread is started with: `heldSinceMs` is on the monotonic clock that all threads of the process have in common. */
export interface LeaseThreadData extends LeaseTerms {
  readonly heldSinceMs: number;
}

/** What the thread reports, each at most once. */
export type LeaseNews = "canceled" | "lost";

export interface Lease extends AsyncDisposable {
  /** Aborted with a `LeaseLostError` or a `JobCanceledError` as its reason, whichever comes first. */
  readonly signal: AbortSignal;
}

/**
 * Starts renewing at once; call it directly after the claim. Renewal goes on after a cancellation and ends with disposal, which
 * may happen twice. A lease of which two thirds passed without an acknowledged renewal counts as lost.
 */
export function keepLease(terms: LeaseTerms): Lease {
  const controller = new AbortController();
  const lose = (message: string) => controller.abort(new LeaseLostError(message));
  const workerData: LeaseThreadData = { ...terms, heldSinceMs: Number(process.hrtime.bigint() / 1_000_000n) };

  const thread = new Worker(new URL("./lease-thread.ts", import.meta.url), { workerData, env: {}, execArgv: [] });
  thread.on("message", (news: LeaseNews) => {
    if (news === "canceled") controller.abort(new JobCanceledError("the job was canceled"));
    else lose("the lease of the job is lost");
  });
  thread.on("error", () => lose("the thread that renews the lease failed"));
  let disposed = false;
  thread.on("exit", () => {
    if (!disposed) lose("the thread that renews the lease ended");
  });

  return {
    signal: controller.signal,
    async [Symbol.asyncDispose]() {
      disposed = true;
      await thread.terminate();
    },
  };
}
