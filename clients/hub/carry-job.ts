// Carries one job from its claim to its end, and reports that end to the hub whatever it is.
import type { Logger } from "pino";
import { faultPoint } from "#fault-point";
import type { ClaimedJob, HubClient } from "./hub-client.ts";
import type { KeepAlive } from "./keep-alive/keep-alive.ts";
import { JobOverdueError, LeaseLostError } from "./keep-alive/lease.ts";

const partingMs = 5_000;

export interface Failure {
  /** Of the closed list. */
  readonly code: Parameters<HubClient["failJob"]>[0]["code"];
  /** A sentence that a customer can act on; nothing that any other program said. */
  readonly message: string;
  /** Of a check: nothing of the snapshot is stored. */
  readonly missing?: boolean;
}

export interface CarryTerms {
  readonly hub: HubClient;
  readonly keepAlive: KeepAlive;
  readonly heartbeatSeconds: number;
  /** The process goes down: the job is given back. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
  /** Total: every error has a code and a sentence. */
  readonly failureOf: (error: unknown) => Failure;
}

/** Never throws: what cannot be reported is found out by the hub when the lease ends. */
export async function carryJob<Job extends ClaimedJob>(
  job: Job,
  perform: (job: Job, signal: AbortSignal) => Promise<void>,
  terms: CarryTerms,
): Promise<void> {
  const { hub, keepAlive, heartbeatSeconds, stopping, failureOf } = terms;
  const { jobId, leaseEpoch, leaseSeconds, timeLimitSeconds, type } = job;
  const log = terms.log.child({ jobId, leaseEpoch, type });
  using lease = keepAlive.keepLease({ jobId, leaseEpoch, leaseSeconds, heartbeatSeconds });
  const overdue = new AbortController();
  const limit = setTimeout(() => overdue.abort(tookTooLong(timeLimitSeconds)), timeLimitSeconds * 1000);
  const signal = AbortSignal.any([lease.signal, stopping, overdue.signal]);
  // Beyond its end nobody wants to hear of the lease, and a process that goes down has half a minute.
  const patience = () =>
    stopping.aborted
      ? { retryForMs: partingMs, signal: AbortSignal.timeout(partingMs) }
      : { retryForMs: (leaseSeconds * 1000) / 2 };
  try {
    try {
      log.info("job begun");
      faultPoint("job.claimed");
      await perform(job, signal);
      faultPoint("job.performed");
      log.info("job done");
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      if (cause instanceof LeaseLostError) return log.warn({ reason: cause.message }, "job given up");
      if (stopping.aborted && !lease.signal.aborted && !overdue.signal.aborted) {
        await hub.releaseJob({ jobId, leaseEpoch }, patience());
        return log.info("job given back");
      }
      const failure = failureOf(cause);
      log.warn({ err: cause, code: failure.code }, "job failed");
      if (failure.code !== "LEASE_LOST") await hub.failJob({ jobId, leaseEpoch, ...failure }, patience());
    }
  } catch (error) {
    log.warn({ err: error }, "the end of the job could not be reported");
  } finally {
    clearTimeout(limit);
  }
}

function tookTooLong(seconds: number): JobOverdueError {
  const [count, unit] = seconds % 3600 === 0 ? [seconds / 3600, "hour"] : [Math.ceil(seconds / 60), "minute"];
  return new JobOverdueError(
    `This had not ended after ${count} ${unit}${count === 1 ? "" : "s"}, which is as long as it may take: make it smaller, or ask the operator for more time.`,
  );
}
