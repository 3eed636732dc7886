// The states of a job, and what follows when an attempt at it ends. The database refuses any other move.
import { type FailureCode, isRetryable, retryPauseSeconds } from "./failures.ts";

export type JobState = "QUEUED" | "RUNNING" | "FINALIZING" | "COMPLETED" | "FAILED" | "CANCELED";

/** States in which nothing will happen any more. */
export function isEnded(state: JobState): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "CANCELED";
}

export interface EndedAttempt {
  readonly code: FailureCode;
  /** Number of this attempt, from 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly cancelRequested: boolean;
  /** From 0 to 1, by chance: spreads the next attempts. */
  readonly random: number;
}

/** What becomes of a job whose attempt ended without success. */
export function afterAttempt(
  { code, attempt, maxAttempts, cancelRequested, random }: EndedAttempt,
  delaysSeconds: readonly number[],
): { state: "FAILED" } | { state: "CANCELED" } | { state: "QUEUED"; delaySeconds: number } {
  if (cancelRequested || code === "CANCELED") return { state: "CANCELED" };
  if (isRetryable(code) && attempt < maxAttempts)
    return { state: "QUEUED", delaySeconds: retryPauseSeconds({ code, attempt, random }, delaysSeconds) };
  return { state: "FAILED" };
}
