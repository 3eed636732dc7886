// Hands the next due jobs to a worker, each under a lease of its own, with what it needs to do them.
import type { Depth, JobType, RestoreForm, SourceType } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { describeJobs } from "./claimed-jobs.ts";
import { SnapshotInUseError } from "./errors.ts";
import { type Hub, transact } from "./hub.ts";
import { beginJobs, lockNextJobs, type NextJob } from "./next-jobs.ts";
import { lanesFor } from "./rules/lanes.ts";
import { beginDeletion } from "./snapshots.ts";
import { besideHeldJobs } from "./suspects.ts";
import { timeLimits } from "./time-limits.ts";
import { concurrencyOf, lockWorker, serves } from "./workers.ts";

/** Jobs that one call takes at most. */
const mostAtOnce = 100;

export interface ClaimedSource {
  /** Null for the test of one that is not saved yet. */
  readonly sourceId: string | null;
  readonly type: SourceType;
  readonly config: unknown;
  readonly hostKey: string | null;
  readonly jumpHostKey: string | null;
  readonly hasCredential: boolean;
}

export interface ClaimedJob {
  readonly jobId: string;
  readonly tenantId: string;
  readonly type: JobType;
  readonly leaseEpoch: number;
  readonly leaseSeconds: number;
  readonly timeLimitSeconds: number;
  readonly attempt: number;
  readonly source: ClaimedSource | null;
  readonly backup: {
    snapshotId: string;
    recipients: string[];
    maxBytes: bigint | null;
    maxBytesPerSecond: bigint | null;
  } | null;
  readonly snapshot: {
    snapshotId: string;
    sourceId: string;
    manifestSha256: string;
    artifactSha256: string;
    storageWorkerId: string | null;
  } | null;
  readonly restore: {
    restoreId: string;
    form: RestoreForm;
    selection: string[];
    tokenHash: string;
    maxDownloadBytes: bigint | null;
    fileName: string;
  } | null;
  readonly check: { depth: Depth; rateBytes: bigint | null } | null;
}

export interface ClaimInput {
  /** Jobs that it would take now. */
  readonly types: readonly JobType[];
}

/** Takes one job, as `claimJobs` does. Null: nothing is due. */
export async function claimJob(hub: Hub, worker: WorkerActor, { types }: ClaimInput): Promise<ClaimedJob | null> {
  const [job] = await claimJobs(hub, worker, { types, count: 1 });
  return job ?? null;
}

/**
 * Takes the next due jobs that this worker can serve, `count` at most: higher priority first, then the tenant with the fewest jobs
 * running, then what has been due for longest. Two claimers never get the same job, and every claim has an epoch of its own. A backup
 * waits while the host keys of its source are not pinned: a password is never sent to a host that nobody knows. No source is
 * read by two jobs at a time. A tenant that has as many jobs running as its plan allows waits, and so does a worker that holds as many
 * as it said it would, checks apart. A backup outside the window of its schedule waits too. Of a suspended tenant nothing but restores
 * is given out, and of one whose end is due what removes its snapshots. A deletion waits while its snapshot is being restored. None:
 * nothing is due.
 */
export async function claimJobs(
  hub: Hub,
  worker: WorkerActor,
  { types, count }: ClaimInput & { count: number },
): Promise<ClaimedJob[]> {
  for (;;) {
    try {
      const claimed = await claimNext(hub, worker, { types, count: Math.max(1, Math.min(count, mostAtOnce)) });
      if (claimed) return claimed;
    } catch (error) {
      // A restore began in the very moment in which its snapshot was to be removed: that deletion waits from now on.
      if (!(error instanceof SnapshotInUseError)) throw error;
    }
  }
}

/** Null: other claimers were quicker to fill the places that these jobs wanted, and there is another look to be had. */
function claimNext(
  hub: Hub,
  worker: WorkerActor,
  { types, count }: ClaimInput & { count: number },
): Promise<ClaimedJob[] | null> {
  return transact(hub, async (tx, announce) => {
    const row = await lockWorker(tx, worker);
    const { jobTypes, sourceTypes, farTypes, stores } = serves(row);
    const wanted = types.filter((type) => jobTypes.includes(type));
    if (row.status === "DRAINING" || row.drainedAt !== null || wanted.length === 0) return [];
    const fitting = await besideHeldJobs(tx, row.id);
    if (fitting === null) return [];
    const lanes = lanesFor({ jobTypes: wanted, sourceTypes, stores });
    const next = await lockNextJobs(tx, {
      ...{ worker, role: row.role, lanes, count, farTypes, fitting },
      // Checks take a place of their own.
      concurrency: wanted.every((type) => type === "VERIFY") ? null : concurrencyOf(row),
    });
    if (next.length === 0) return [];
    const minutes = await timeLimits(tx, new Set(next.map(({ type }) => type)));
    const jobs = await beginJobs(tx, worker, { jobs: apart(next), leaseSeconds: hub.terms.leaseSeconds, minutes });
    if (jobs.length === 0) return null;
    for (const job of jobs) {
      if (job.type === "DELETE_SNAPSHOT" && job.targetSnapshotId)
        await beginDeletion(tx, announce, job.targetSnapshotId);
      announce.jobChanged(job.id, job.tenantId);
      announce.happened?.({ kind: "claimed", jobId: job.id, type: job.type });
    }
    return describeJobs(tx, jobs, { leaseSeconds: hub.terms.leaseSeconds, minutes });
  });
}

/** A job that may be what its workers died of is not taken together with others. */
function apart(next: readonly NextJob[]): readonly NextJob[] {
  return next[0]?.suspect ? next.slice(0, 1) : next.filter(({ suspect }) => !suspect);
}
