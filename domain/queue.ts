// The queue itself: rows of jobs, their log, and the doorbells that tell workers about them.
import type { Depth, Job, JobType, Prisma } from "../prisma/client/client.ts";
import type { Announcements } from "./events.ts";
import { now, type Transaction } from "./hub.ts";
import { newId } from "./ids.ts";
import { jobColumns } from "./job-columns.ts";

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
  const [made] = await createJobs(tx, announce, [job]);
  if (!made) throw new Error("postgres did not return the job that it took");
  return made;
}

/** The same for several, in as few statements; in their order. */
export async function createJobs(tx: Transaction, announce: Announcements, jobs: readonly NewJob[]): Promise<Job[]> {
  const at = await now(tx);
  const rows = jobs.map((job) => ({ priority: 0, maxAttempts: 3, notBefore: at, ...job, id: newId("job", at) }));
  const made = await tx.$queryRaw<Job[]>`
    INSERT INTO jobs (id, tenant_id, type, source_id, source_draft, schedule_id, slot_at, target_snapshot_id, verify_depth,
      target_worker_id, priority, max_attempts, not_before, window_ends_at, event_seq)
    SELECT *, 1 FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS made(id text, "tenantId" text, type job_type,
      "sourceId" text, "sourceDraft" jsonb, "scheduleId" text, "slotAt" timestamptz, "targetSnapshotId" text, "verifyDepth" verify_depth,
      "targetWorkerId" text, priority int, "maxAttempts" int, "notBefore" timestamptz, "windowEndsAt" timestamptz)
    RETURNING ${jobColumns}`;
  const ids = rows.map(({ id }) => id);
  await tx.$executeRaw`
    WITH made AS (
      SELECT * FROM unnest(${ids}::text[], ${rows.map(({ tenantId }) => tenantId)}::text[],
        ${rows.map(({ targetWorkerId }) => targetWorkerId ?? null)}::text[]) AS made(id, tenant_id, target_worker_id)
    ), logged AS (
      INSERT INTO job_events (job_id, seq, tenant_id, kind, facts) SELECT id, 1, tenant_id, 'state', '{"status":"QUEUED"}' FROM made
    )
    INSERT INTO outbox (job_id, lease_epoch, target_worker_id) SELECT id, 0, target_worker_id FROM made`;
  announce.jobDue();
  for (const { id, tenantId } of rows) announce.jobChanged(id, tenantId);
  const byId = new Map(made.map((job) => [job.id, job]));
  return ids.flatMap((id) => byId.get(id) ?? []);
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
