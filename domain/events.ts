// Who is told after a commit. Nothing depends on being told: those who miss it find the same in Postgres.

export interface Announcements {
  /** The row or the log of this job changed. */
  jobChanged(jobId: string, tenantId: string): void;
  /** A snapshot of this tenant was made, or is another one now. */
  snapshotsChanged(tenantId: string): void;
  /** A worker came, went, or is in another state. */
  workersChanged(): void;
  /** A doorbell waits in the outbox. */
  jobDue(): void;
}
