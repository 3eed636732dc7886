// What holding a job's lease means to the one who does the job.

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

/** The attempt has taken as long as it may. The lease is still held, so that the end can be reported. */
export class JobOverdueError extends Error {
  override readonly name = "JobOverdueError";
  readonly code = "TIMEOUT";
}

export interface Lease extends Disposable {
  /** Aborted with a `LeaseLostError` or a `JobCanceledError` as its reason, whichever comes first. */
  readonly signal: AbortSignal;
}
