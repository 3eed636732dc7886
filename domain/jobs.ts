// Jobs as customers see them: started, looked at, canceled. Their way through a worker's hands is in leases.ts.
import type { Job, Prisma, Source } from "../prisma/client/client.ts";
import { isUniqueViolation } from "../prisma/failures.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import {
  BackupAlreadyRunningError,
  JobEndedError,
  JobNotRetryableError,
  NotFoundError,
  SnapshotDeletedError,
  SourceDisabledError,
  SourceNotTestedError,
} from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { changeJob, createJob, ring } from "./queue.ts";
import { refuseFull } from "./quotas.ts";
import { isEnded } from "./rules/job-states.ts";
import type { Verb } from "./rules/permissions.ts";
import { routeOf } from "./rules/source-config.ts";
import { findDeletion, isGone, keepAfterAll, lockSnapshot, queueDeletion } from "./snapshots.ts";
import { parseDraft, refuseScanning } from "./source-tests.ts";
import { holdSource, requireSource } from "./sources.ts";
import { refuseSuspended } from "./tenants.ts";
import { beginNow } from "./waiting-backups.ts";

/**
 * Starts a backup now. A source has at most one backup under way; the database holds that wall as well. One of a schedule that only
 * waits for its moment begins now instead.
 */
export async function startBackup(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Job> {
  const source = await requireSource(hub, actor, sourceId);
  authorize(actor, source.tenantId, "startBackup");
  return backUp(hub, source, (tx, job) =>
    audit(tx, actor, { tenantId: job.tenantId, verb: "startBackup", objectId: job.id, after: { sourceId } }),
  );
}

async function backUp(
  hub: Hub,
  { id: sourceId, tenantId, ...source }: Source,
  record: (tx: Transaction, job: Job) => Promise<void>,
): Promise<Job> {
  if (source.status !== "ACTIVE") throw new SourceDisabledError();
  const route = routeOf(source.type, source.config);
  if ((route?.ssh && source.hostKey === null) || (route?.jump && source.jumpHostKey === null))
    throw new SourceNotTestedError();
  try {
    return await transact(hub, async (tx, announce) => {
      await refuseFull(tx, await refuseSuspended(tx, tenantId));
      if ((await holdSource(tx, sourceId)).status !== "ACTIVE") throw new SourceDisabledError();
      const active = await findActiveBackup(tx, tenantId, sourceId);
      const job = active
        ? await beginNow(tx, announce, active)
        : await createJob(tx, announce, { tenantId, type: "BACKUP", sourceId, priority: 5 });
      await record(tx, job);
      return job;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    const active = await findActiveBackup(hub.db, tenantId, sourceId);
    throw active ? new BackupAlreadyRunningError(active.id) : error;
  }
}

/**
 * Does again, as a new job, what failed or was canceled; whoever may begin it may try it again. A deletion has its grace once more,
 * and one that is under way already is the answer. A restore is begun anew instead: its link was shown to its maker alone.
 */
export async function retryJob(hub: Hub, actor: Actor, { jobId }: { jobId: string }): Promise<Job> {
  const failed = await findJob(hub, actor, jobId);
  if (!failed) throw new NotFoundError();
  authorize(actor, failed.tenantId, retriedVerb(failed));
  const refusal = retryRefusal(failed);
  if (refusal) throw new JobNotRetryableError(refusal);
  const { tenantId, type, sourceId, sourceDraft, targetSnapshotId } = failed;
  const record = (tx: Transaction, job: Job) =>
    audit(tx, actor, { tenantId, verb: "retryJob", objectId: jobId, after: { jobId: job.id } });
  if (type === "BACKUP") return backUp(hub, await requireSource(hub, actor, sourceId ?? ""), record);
  if (type === "DELETE_SNAPSHOT")
    return transact(hub, async (tx, announce) => {
      const snapshot = await lockSnapshot(tx, targetSnapshotId ?? "");
      const earlier = await findDeletion(tx, snapshot);
      if (earlier) return earlier;
      const job = await queueDeletion(tx, announce, snapshot);
      await record(tx, job);
      return job;
    });
  return transact(hub, async (tx, announce) => {
    await refuseSuspended(tx, tenantId);
    await refuseScanning(hub, tx, tenantId);
    const job = await createJob(tx, announce, {
      tenantId,
      type,
      ...(sourceId !== null && { sourceId }),
      ...(sourceDraft !== null && { sourceDraft: await draftAgain(tx, tenantId, sourceDraft) }),
      priority: failed.priority,
      maxAttempts: 1,
    });
    await record(tx, job);
    return job;
  });
}

/** Why a job is not to be tried again, in a sentence, or null. */
export function retryRefusal({ type, status }: Pick<Job, "type" | "status">): string | null {
  if (!isEnded(status)) return "This job is still under way: wait for its end, or cancel it first.";
  if (status === "COMPLETED") return "This job is completed: there is nothing to try again.";
  if (type === "RESTORE") return "Start a new restore instead: the link of this one was shown once and works no more.";
  if (type === "VERIFY")
    return "Ask for another check instead, with verifySnapshot: the platform makes one by itself as well.";
  return null;
}

/** What somebody has to be allowed to do in order to try this job again. */
export function retriedVerb({ type, sourceDraft }: Pick<Job, "type" | "sourceDraft">): Verb {
  if (type === "DELETE_SNAPSHOT") return "deleteSnapshot";
  return sourceDraft === null ? "retryJob" : "testSourceDraft";
}

/** What somebody has to be allowed to do in order to stop this job. */
export function canceledVerb({ type }: Pick<Job, "type">): Verb {
  return type === "DELETE_SNAPSHOT" ? "undeleteSnapshot" : "cancelJob";
}

async function draftAgain(
  tx: Transaction,
  tenantId: string,
  stored: Prisma.JsonValue,
): Promise<Prisma.InputJsonObject> {
  const { credentialId } = parseDraft(stored);
  const known = credentialId === null || (await tx.credential.count({ where: { tenantId, id: credentialId } })) > 0;
  if (!known)
    throw new JobNotRetryableError("The credential of this test is gone: test the settings with another one.");
  return stored as Prisma.InputJsonObject;
}

/**
 * Cancels a queued job at once, and asks the worker of a running one to stop. Asking twice changes nothing more. A deletion that
 * nobody began with is taken back by it; once a worker has begun, nothing takes it back, for a half of a snapshot is none.
 */
export async function cancelJob(hub: Hub, actor: Actor, { jobId }: { jobId: string }): Promise<Job> {
  const found = await findJob(hub, actor, jobId);
  if (!found) throw new NotFoundError();
  authorize(actor, found.tenantId, canceledVerb(found));
  return transact(hub, async (tx, announce) => {
    await tx.$queryRaw`SELECT id FROM jobs WHERE id = ${jobId} FOR UPDATE`;
    const job = await tx.job.findUniqueOrThrow({ where: { id: jobId } });
    if (isEnded(job.status)) throw new JobEndedError(job.status);
    if (job.cancelRequestedAt) return job;
    if (job.type === "DELETE_SNAPSHOT" && isGone((await lockSnapshot(tx, job.targetSnapshotId ?? "")).status))
      throw new SnapshotDeletedError(null);
    const at = await now(tx);
    await audit(tx, actor, { tenantId: job.tenantId, verb: "cancelJob", objectId: job.id });
    if (job.status !== "QUEUED") {
      // Its worker would learn of it within seconds anyway.
      await ring(tx, announce, { ...job, targetWorkerId: job.workerId });
      return changeJob(tx, announce, { jobId, data: { cancelRequestedAt: at }, kind: "cancel-requested", facts: {} });
    }
    await tx.restore.updateMany({ where: { jobId, status: "PREPARING" }, data: { status: "FAILED" } });
    if (job.targetSnapshotId && job.type === "DELETE_SNAPSHOT") await keepAfterAll(tx, announce, job.targetSnapshotId);
    return changeJob(tx, announce, {
      jobId,
      data: { status: "CANCELED", cancelRequestedAt: at, endedAt: at },
      kind: "state",
      facts: { status: "CANCELED" },
    });
  });
}

export function findJob(hub: Hub, actor: Actor, id: string, query: Prisma.JobDefaultArgs = {}): Promise<Job | null> {
  return hub.db.job.findFirst({ ...query, where: visibleRow(actor, id) });
}

/** What workers are called, by their ids: all that customers are told of them. */
export async function nameWorkers(hub: Hub, ids: readonly string[]): Promise<Map<string, string>> {
  const workers = await hub.platform.worker.findMany({
    where: { id: { in: [...ids] } },
    select: { id: true, name: true },
  });
  return new Map(workers.map(({ id, name }) => [id, name]));
}

/** The backup of this source that is queued or running. */
export function findActiveBackup(tx: Transaction, tenantId: string, sourceId: string): Promise<Job | null> {
  return tx.job.findFirst({
    where: { tenantId, sourceId, type: "BACKUP", status: { in: ["QUEUED", "RUNNING", "FINALIZING"] } },
  });
}
