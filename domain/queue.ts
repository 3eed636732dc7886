// The queue itself: rows of jobs, their log, and the doorbells that tell workers about them.
import type { Depth, Job, JobType, Prisma } from "../prisma/client/client.ts";
import type { Announcements } from "./events.ts";
import { now, type Transaction } from "./hub.ts";
import { newId } from "./ids.ts";

export interface NewJob {
  readonly tenantId: string;
  readonly type: JobType;
  readonly sourceId?: string;
  readonly sourceDraft?: Prisma.InputJsonObject;
  readonly scheduleId?: string;
  readonly slotAt?: Date | null;
  readonly targetSnapshotId?: string;
  /** Of a check. */
  readonly verifyDepth?: Depth;
  readonly targetWorkerId?: string | null;
  readonly priority?: number;
  readonly maxAttempts?: number;
  /** Not to be claimed before this. */
  readonly notBefore?: Date;
  /** Nor from this on. */
  readonly windowEndsAt?: Date | null;
}

/** Makes a queued job and its doorbell in the caller's transaction: both exist, or neither. */
export async function createJob(tx: Transaction, announce: Announcements, job: NewJob): Promise<Job> {
  const id = newId("job", await now(tx));
  const made = await tx.job.create({ data: { id, eventSeq: 1, ...job } });
  await tx.jobEvent.create({
    data: { jobId: id, seq: 1, tenantId: job.tenantId, kind: "state", facts: { status: "QUEUED" } },
  });
  await ring(tx, announce, made);
  announce.jobChanged(id, job.tenantId);
  return made;
}

/** Leaves a doorbell for the job's present epoch in the outbox. */
export async function ring(tx: Transaction, announce: Announcements, job: Job): Promise<void> {
  await tx.outbox.create({ data: { jobId: job.id, leaseEpoch: job.leaseEpoch, targetWorkerId: job.targetWorkerId } });
  announce.jobDue();
}

/** Changes a job and appends the change to its log; the caller holds the row's lock. */
export async function changeJob(
  tx: Transaction,
  announce: Announcements,
  {
    jobId,
    data,
    kind,
    facts,
  }: { jobId: string; data: Prisma.JobUncheckedUpdateInput; kind: string; facts: Prisma.InputJsonObject },
): Promise<Job> {
  const job = await tx.job.update({ where: { id: jobId }, data: { ...data, eventSeq: { increment: 1 } } });
  await tx.jobEvent.create({ data: { jobId, seq: job.eventSeq, tenantId: job.tenantId, kind, facts } });
  announce.jobChanged(jobId, job.tenantId);
  if (data.status !== undefined && job.status !== "FINALIZING")
    announce.happened?.({
      kind: job.status === "QUEUED" ? "requeued" : "ended",
      ...{ jobId, type: job.type, status: job.status },
      code: codeIn(facts.code ?? facts.after),
    });
  return job;
}

function codeIn(fact: unknown): string | null {
  return typeof fact === "string" ? fact : null;
}
