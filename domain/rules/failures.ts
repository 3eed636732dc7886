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

/** Seconds to wait before the attempt after `attempt`; the last delay repeats. */
export function retryDelaySeconds(delays: readonly number[], attempt: number): number {
  return delays[Math.min(attempt, delays.length) - 1] ?? 0;
}
