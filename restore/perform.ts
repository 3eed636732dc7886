// Carries one restore job from its claim to its end, and reports that end to the hub whatever it is.
import type { Logger } from "pino";
import { keepLease, LeaseLostError } from "../clients/hub/lease.ts";
import { failureOf } from "./failure.ts";
import { prepareDownload, type RestoreJob, type Workshop } from "./prepare.ts";

export interface PerformTerms {
  readonly hubBaseUrl: string;
  readonly token: string;
  readonly heartbeatSeconds: number;
  readonly log: Logger;
  /** The service goes down: the job is given back. */
  readonly stopping: AbortSignal;
}

/** Never throws: what cannot be reported is found out by the hub when the lease ends. */
export async function performRestore(workshop: Workshop, job: RestoreJob, terms: PerformTerms): Promise<void> {
  const { hub } = workshop;
  const { jobId, leaseEpoch, leaseSeconds } = job;
  const { hubBaseUrl: baseUrl, token, heartbeatSeconds, stopping } = terms;
  const log = terms.log.child({ jobId, leaseEpoch, restoreId: job.restore.restoreId });
  await using lease = keepLease({ baseUrl, token, jobId, leaseEpoch, leaseSeconds, heartbeatSeconds });
  const signal = AbortSignal.any([lease.signal, stopping]);
  const patience = { retryForMs: (leaseSeconds * 1000) / 2 };
  try {
    try {
      log.info("preparing a download");
      await prepareDownload(workshop, job, signal);
      log.info("download prepared");
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      if (cause instanceof LeaseLostError) return log.warn({ reason: cause.message }, "restore given up");
      if (stopping.aborted && !lease.signal.aborted) {
        await hub.releaseJob({ jobId, leaseEpoch }, patience);
        return log.info("restore given back");
      }
      const failure = failureOf(cause);
      log.warn({ err: cause, code: failure.code }, "download not prepared");
      if (failure.code !== "LEASE_LOST") await hub.failJob({ jobId, leaseEpoch, ...failure }, patience);
    }
  } catch (error) {
    log.warn({ err: error }, "the end of the restore could not be reported");
  }
}
