// Who is told after a commit. Nothing depends on being told: those who miss it find the same in Postgres.

export interface Announcements {
  /** The row or the log of this job changed. */
  jobChanged(jobId: string): void;
  /** A doorbell waits in the outbox. */
  jobDue(): void;
}
