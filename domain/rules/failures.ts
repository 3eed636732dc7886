// The closed list of ways in which a job can fail, and which of them may pass by themselves.

const retryable = {
  LEASE_LOST: true,
  SOURCE_AUTH_FAILED: false,
  SOURCE_DISCONNECTED: true,
  SOURCE_STALLED: true,
  HOST_NOT_ALLOWED: false,
  HOST_KEY_CHANGED: false,
  PATH_NOT_FOUND: false,
  DUMP_FAILED: false,
  DUMP_TRUNCATED: true,
  DUMP_VERSION_MISMATCH: false,
  DISK_FULL: false,
  QUOTA_EXCEEDED: false,
  STORAGE_UNAVAILABLE: true,
  ARTIFACT_CORRUPT: false,
  KEY_UNAVAILABLE: false,
  CUSTOMER_KEY_REQUIRED: false,
  WORKER_LOST: false,
  WORKER_OFFLINE: true,
  CANCELED: false,
  TIMEOUT: true,
} as const;

export type FailureCode = keyof typeof retryable;

export const failureCodes = Object.keys(retryable) as FailureCode[];

export function isFailureCode(code: string): code is FailureCode {
  return Object.hasOwn(retryable, code);
}

/** Whether a later attempt may succeed without anybody changing anything. */
export function isRetryable(code: FailureCode): boolean {
  return retryable[code];
}

/**
 * How long to wait after each, of the full pause: a source that is away or a storage that is not there needs time, and a lease that
 * was lost says nothing of either.
 */
const shareOfPause: Partial<Record<FailureCode, number>> = {
  LEASE_LOST: 1 / 6,
  WORKER_OFFLINE: 1 / 6,
  DUMP_TRUNCATED: 1 / 2,
};

/** At most so much longer than it has to be: what failed together is not to come back together. */
const mostJitter = 0.2;

/** Seconds to wait after this failure of the attempt of this number; `random` is from 0 to 1. */
export function retryPauseSeconds(
  { code, attempt, random }: { code: FailureCode; attempt: number; random: number },
  delays: readonly number[],
): number {
  return retryDelaySeconds(delays, attempt) * (shareOfPause[code] ?? 1) * (1 + mostJitter * random);
}

/** Seconds to wait before the attempt after `attempt`; the last delay repeats. */
export function retryDelaySeconds(delays: readonly number[], attempt: number): number {
  return delays[Math.min(attempt, delays.length) - 1] ?? 0;
}
