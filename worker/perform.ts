// Carries one job from its claim to its end, and reports that end to the hub whatever it is.
import type { Logger } from "pino";
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { keepLease, LeaseLostError } from "../clients/hub/lease.ts";
import { backUp } from "./backup.ts";
import { deleteSnapshot } from "./delete-snapshot.ts";
import { failureOf, JobRefusedError } from "./failure.ts";
import { testSource } from "./test-source.ts";
import type { Workshop } from "./workshop.ts";

type Perform = (workshop: Workshop, job: ClaimedJob, signal: AbortSignal) => Promise<void>;

const performers = {
  BACKUP: backUp,
  TEST_SOURCE: testSource,
  DELETE_SNAPSHOT: deleteSnapshot,
} as const satisfies Partial<Record<ClaimedJob["type"], Perform>>;

export const servedJobTypes = Object.keys(performers) as (keyof typeof performers)[];

const partingMs = 5_000;

export interface PerformTerms {
  readonly hubBaseUrl: string;
  readonly token: string;
  readonly heartbeatSeconds: number;
  readonly log: Logger;
  /** The worker goes down: the job is given back. */
  readonly stopping: AbortSignal;
}

/** Never throws: what cannot be reported is found out by the hub when the lease ends. */
export async function performJob(workshop: Workshop, job: ClaimedJob, terms: PerformTerms): Promise<void> {
  const { hub } = workshop;
  const { jobId, leaseEpoch, leaseSeconds, type } = job;
  const { hubBaseUrl: baseUrl, token, heartbeatSeconds, stopping } = terms;
  const log = terms.log.child({ jobId, leaseEpoch, type });
  await using lease = keepLease({ baseUrl, token, jobId, leaseEpoch, leaseSeconds, heartbeatSeconds });
  const signal = AbortSignal.any([lease.signal, stopping]);
  // Beyond its end nobody wants to hear of the lease, and a worker that goes down has half a minute.
  const patience = () => ({ retryForMs: stopping.aborted ? partingMs : (leaseSeconds * 1000) / 2 });
  try {
    try {
      log.info("job begun");
      const perform = (performers as Partial<Record<ClaimedJob["type"], Perform>>)[type];
      if (!perform) throw new JobRefusedError(`no way to do a job of type ${type}`);
      await perform(workshop, job, signal);
      log.info("job done");
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      if (cause instanceof LeaseLostError) return log.warn({ reason: cause.message }, "job given up");
      if (stopping.aborted && !lease.signal.aborted) {
        await hub.releaseJob({ jobId, leaseEpoch }, patience());
        return log.info("job given back");
      }
      const failure = failureOf(cause);
      log.warn({ err: cause, code: failure.code }, "job failed");
      if (failure.code !== "LEASE_LOST") await hub.failJob({ jobId, leaseEpoch, ...failure }, patience());
    }
  } catch (error) {
    log.warn({ err: error }, "the end of the job could not be reported");
  }
}
