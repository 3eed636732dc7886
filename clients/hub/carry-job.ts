// Carries one job from its claim to its end, and reports that end to the hub whatever it is.
import type { Logger } from "pino";
import { faultPoint } from "#fault-point";
import type { ClaimedJob, HubClient } from "./hub-client.ts";
import type { KeepAlive } from "./keep-alive/keep-alive.ts";
import { JobOverdueError, LeaseLostError } from "./keep-alive/lease.ts";
import { withLogFacts } from "./log-context.ts";

const partingMs = 5_000;

export interface Failure {
  /** Of the closed list. */
  readonly code: Parameters<HubClient["failJob"]>[0]["code"];
  /** A sentence that a customer can act on; nothing that any other program said. */
  readonly message: string;
  /** Of a check: nothing of the snapshot is stored. */
  readonly missing?: boolean;
}

/** How a job ended here; what became of it is for the hub to say. */
export type JobOutcome = "COMPLETED" | "RELEASED" | "UNREPORTED" | "LEASE_LOST" | Failure["code"];

/** Who counts. */
export interface JobObserver {
  begun(type: ClaimedJob["type"]): void;
  ended(type: ClaimedJob["type"], outcome: JobOutcome, seconds: number): void;
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
  readonly observe?: JobObserver;
}

/** Never throws: what cannot be reported is found out by the hub when the lease ends. Every line that it logs names the job. */
export async function carryJob<Job extends ClaimedJob>(
  job: Job,
  perform: (job: Job, signal: AbortSignal) => Promise<void>,
  terms: CarryTerms,
): Promise<void> {
  const { jobId, leaseEpoch, type } = job;
  const { observe } = terms;
  observe?.begun(type);
  const beganAt = performance.now();
  const outcome = await withLogFacts({ jobId, leaseEpoch, type }, () => carry(job, perform, terms));
  observe?.ended(type, outcome, (performance.now() - beganAt) / 1000);
}

async function carry<Job extends ClaimedJob>(
  job: Job,
  perform: (job: Job, signal: AbortSignal) => Promise<void>,
  terms: CarryTerms,
): Promise<JobOutcome> {
  const { hub, keepAlive, heartbeatSeconds, stopping, failureOf, log } = terms;
  const { jobId, leaseEpoch, leaseSeconds, timeLimitSeconds } = job;
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
      return "COMPLETED";
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      if (cause instanceof LeaseLostError) {
        log.warn({ reason: cause.message }, "job given up");
        return "LEASE_LOST";
      }
      if (stopping.aborted && !lease.signal.aborted && !overdue.signal.aborted) {
        await hub.releaseJob({ jobId, leaseEpoch }, patience());
        log.info("job given back");
        return "RELEASED";
      }
      const failure = failureOf(cause);
      log.warn({ err: cause, code: failure.code }, "job failed");
      if (failure.code !== "LEASE_LOST") await hub.failJob({ jobId, leaseEpoch, ...failure }, patience());
      return failure.code;
    }
  } catch (error) {
    log.warn({ err: error }, "the end of the job could not be reported");
    return "UNREPORTED";
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
