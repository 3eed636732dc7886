// Jobs as customers see them: started, looked at, canceled. Their way through a worker's hands is in leases.ts.
import { type Job, Prisma } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import {
  BackupAlreadyRunningError,
  JobEndedError,
  NotFoundError,
  SourceDisabledError,
  SourceNotTestedError,
} from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { changeJob, createJob } from "./queue.ts";
import { refuseFull } from "./quotas.ts";
import { isEnded } from "./rules/job-states.ts";
import { routeOf } from "./rules/source-config.ts";
import { holdSource, requireSource } from "./sources.ts";
import { refuseSuspended } from "./tenants.ts";

/** Starts a backup now. A source has at most one backup under way; the database holds that wall as well. */
export async function startBackup(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Job> {
  const source = await requireSource(hub, actor, sourceId);
  const { tenantId } = source;
  authorize(actor, tenantId, "startBackup");
  if (source.status !== "ACTIVE") throw new SourceDisabledError();
  const route = routeOf(source.type, source.config);
  if ((route?.ssh && source.hostKey === null) || (route?.jump && source.jumpHostKey === null))
    throw new SourceNotTestedError();
  try {
    return await transact(hub, async (tx, announce) => {
      await refuseFull(tx, await refuseSuspended(tx, tenantId));
      if ((await holdSource(tx, sourceId)).status !== "ACTIVE") throw new SourceDisabledError();
      const active = await findActiveBackup(tx, tenantId, sourceId);
      if (active) throw new BackupAlreadyRunningError(active.id);
      const job = await createJob(tx, announce, { tenantId, type: "BACKUP", sourceId, priority: 5 });
      await audit(tx, actor, { tenantId, verb: "startBackup", objectId: job.id, after: { sourceId } });
      return job;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    const active = await findActiveBackup(hub.db, tenantId, sourceId);
    throw active ? new BackupAlreadyRunningError(active.id) : error;
  }
}

/** Cancels a queued job at once, and asks the worker of a running one to stop. Asking twice changes nothing more. */
export async function cancelJob(hub: Hub, actor: Actor, { jobId }: { jobId: string }): Promise<Job> {
  const found = await findJob(hub, actor, jobId);
  if (!found) throw new NotFoundError();
  authorize(actor, found.tenantId, "cancelJob");
  return transact(hub, async (tx, announce) => {
    await tx.$queryRaw`SELECT id FROM jobs WHERE id = ${jobId} FOR UPDATE`;
    const job = await tx.job.findUniqueOrThrow({ where: { id: jobId } });
    if (isEnded(job.status)) throw new JobEndedError(job.status);
    if (job.cancelRequestedAt) return job;
    const at = await now(tx);
    await audit(tx, actor, { tenantId: job.tenantId, verb: "cancelJob", objectId: job.id });
    if (job.status !== "QUEUED")
      return changeJob(tx, announce, { jobId, data: { cancelRequestedAt: at }, kind: "cancel-requested", facts: {} });
    await tx.restore.updateMany({ where: { jobId, status: "PREPARING" }, data: { status: "FAILED" } });
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

/** The backup of this source that is queued or running. */
export function findActiveBackup(tx: Transaction, tenantId: string, sourceId: string): Promise<Job | null> {
  return tx.job.findFirst({
    where: { tenantId, sourceId, type: "BACKUP", status: { in: ["QUEUED", "RUNNING", "FINALIZING"] } },
  });
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === "P2002";
}
