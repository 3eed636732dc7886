// Who is told after a commit. Nothing depends on being told: those who miss it find the same in Postgres.

import type { JobStatus, JobType } from "../prisma/client/client.ts";

/** What happened, for those who count and those who write it down: ids and words of closed lists alone. */
export type Fact =
  | { readonly kind: "claimed"; readonly jobId: string; readonly type: JobType }
  | {
      readonly kind: "ended" | "requeued";
      readonly jobId: string;
      readonly type: JobType;
      readonly status: JobStatus;
      /** A failure's; null where there was none. */
      readonly code: string | null;
    }
  | { readonly kind: "stored"; readonly sourceBytes: number; readonly storedBytes: number };

export interface Announcements {
  /** The row or the log of this job changed. */
  jobChanged(jobId: string, tenantId: string): void;
  /** A snapshot of this tenant was made, or is another one now. */
  snapshotsChanged(tenantId: string): void;
  /** A worker came, went, or is in another state. */
  workersChanged(): void;
  /** A doorbell waits in the outbox. */
  jobDue(): void;
  /** Each once, in order. */
  happened?(fact: Fact): void;
}
