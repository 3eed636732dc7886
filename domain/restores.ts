// Snapshots on their way back to their owner, through links that are shown once and expire.
import * as z from "zod";
import type { Prisma, Restore, RestoreForm } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow, type WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, NotFoundError, RestoreEndedError, SnapshotNotRestorableError } from "./errors.ts";
import { type Hub, now, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { parseInput } from "./input.ts";
import { refuseUnopenable } from "./keys.ts";
import { changeJob, createJob } from "./queue.ts";
import { isEnded } from "./rules/job-states.ts";
import { hashToken, newToken } from "./secrets.ts";
import { findSnapshot } from "./snapshots.ts";
import { requireWorker } from "./workers.ts";

const pathInput = z
  .string()
  .min(1, "A path is not empty.")
  .max(4096, "A path has at most 4096 characters.")
  .regex(/^[^\0\p{Cs}]*$/u, "A path has no NUL and no half characters.");
const selectionInput = z.array(pathInput).max(1000, "At most 1000 paths.");

export interface StartRestoreInput {
  readonly snapshotId: string;
  readonly form: RestoreForm;
  /** Paths to take, each with everything beneath it; empty: all. */
  readonly selection?: readonly string[] | null | undefined;
}

export interface StartedRestore {
  readonly restore: Restore;
  /** Works from the moment the restore's job is completed until it expires. Shown here and never again. */
  readonly downloadUrl: string;
}

/** A suspended tenant may restore too, and one that is on its way out: what is kept here may be the only copy. */
export async function startRestore(hub: Hub, actor: Actor, input: StartRestoreInput): Promise<StartedRestore> {
  const snapshot = await findSnapshot(hub, actor, input.snapshotId);
  if (!snapshot) throw new NotFoundError();
  const { tenantId } = snapshot;
  authorize(actor, tenantId, "startRestore");
  const selection = parseInput(selectionInput, input.selection ?? []);
  if (input.form === "SEALED" && selection.length > 0)
    throw new InvalidInputError([
      { path: "selection", message: "A sealed download is the whole snapshot: nobody but you can see what is in it." },
    ]);
  const token = newToken("");
  const restore = await transact(hub, async (tx, announce) => {
    await tx.$queryRaw`SELECT id FROM snapshots WHERE id = ${snapshot.id} FOR SHARE`;
    const { status } = await tx.snapshot.findUniqueOrThrow({ where: { id: snapshot.id } });
    if (status !== "COMPLETED") throw new SnapshotNotRestorableError(status);
    if (input.form !== "SEALED") await refuseUnopenable(tx, tenantId, snapshot.keyFingerprint);
    const job = await createJob(tx, announce, {
      tenantId,
      type: "RESTORE",
      targetSnapshotId: snapshot.id,
      targetWorkerId: snapshot.workerId,
      priority: 10,
    });
    const made = await tx.restore.create({
      data: {
        id: newId("restore", await now(tx)),
        tenantId,
        snapshotId: snapshot.id,
        jobId: job.id,
        form: input.form,
        selection,
        tokenHash: hashToken(token),
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "startRestore",
      objectId: made.id,
      after: { snapshotId: snapshot.id, form: input.form, selection },
    });
    return made;
  });
  return { restore, downloadUrl: `${hub.terms.restorePublicUrl}/download/${token}` };
}

/**
 * Ends a link now, or before it ever worked: then what prepares it is stopped as well. The restore service hears of it within seconds.
 * Revoking again changes nothing. Throws `RestoreEndedError` for one that has ended by itself.
 */
export async function revokeRestore(hub: Hub, actor: Actor, { restoreId }: { restoreId: string }): Promise<Restore> {
  const found = await findRestore(hub, actor, restoreId);
  if (!found) throw new NotFoundError();
  const { tenantId, jobId } = found;
  authorize(actor, tenantId, "revokeRestore");
  return transact(hub, async (tx, announce) => {
    // The job first, as whoever completes it does.
    await tx.$queryRaw`SELECT id FROM jobs WHERE id = ${jobId} FOR UPDATE`;
    await tx.$queryRaw`SELECT id FROM restores WHERE id = ${restoreId} FOR UPDATE`;
    const restore = await tx.restore.findUniqueOrThrow({ where: { id: restoreId } });
    if (restore.status === "REVOKED") return restore;
    if (restore.status === "EXPIRED" || restore.status === "FAILED") throw new RestoreEndedError(restore.status);
    const at = await now(tx);
    const revoked = await tx.restore.update({ where: { id: restoreId }, data: { status: "REVOKED", expiresAt: at } });
    const job = await tx.job.findUniqueOrThrow({ where: { id: jobId } });
    if (job.status === "QUEUED")
      await changeJob(tx, announce, {
        jobId,
        data: { status: "CANCELED", cancelRequestedAt: at, endedAt: at },
        kind: "state",
        facts: { status: "CANCELED" },
      });
    else if (!isEnded(job.status) && !job.cancelRequestedAt)
      await changeJob(tx, announce, { jobId, data: { cancelRequestedAt: at }, kind: "cancel-requested", facts: {} });
    await audit(tx, actor, {
      tenantId,
      verb: "revokeRestore",
      objectId: restoreId,
      before: { status: restore.status },
    });
    return revoked;
  });
}

export function findRestore(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.RestoreDefaultArgs = {},
): Promise<Restore | null> {
  return hub.db.restore.findFirst({ ...query, where: visibleRow(actor, id) });
}

/**
 * Notes that a download went out whole: its link is used up. Throws `NotFoundError` unless it was ready once, for a restore service.
 */
export async function recordFetch(
  hub: Hub,
  worker: WorkerActor,
  { restoreId }: { restoreId: string },
): Promise<{ timesFetched: number }> {
  return transact(hub, async (tx) => {
    const { role } = await requireWorker(tx, worker);
    await tx.restore.updateMany({
      where: { id: role === "RESTORE" ? restoreId : "", status: "READY" },
      data: { status: "EXPIRED" },
    });
    const found = await tx.restore.updateManyAndReturn({
      // It may have expired, or have been revoked, while it went out.
      where: { id: role === "RESTORE" ? restoreId : "", status: { in: ["EXPIRED", "REVOKED"] } },
      data: { timesFetched: { increment: 1 } },
    });
    const [restore] = found;
    if (!restore) throw new NotFoundError();
    const { tenantId, timesFetched } = restore;
    await audit(tx, worker, { tenantId, verb: "recordFetch", objectId: restoreId, after: { timesFetched } });
    return { timesFetched };
  });
}

/** Which prepared downloads may still be served. */
export async function reconcileRestores(
  hub: Hub,
  { restoreIds }: { restoreIds: readonly string[] },
): Promise<{ serve: string[] }> {
  const rows = await hub.db.restore.findMany({
    where: { id: { in: restoreIds.slice(0, 1000) }, status: "READY", expiresAt: { gt: await now(hub.db) } },
    select: { id: true },
  });
  return { serve: rows.map((row) => row.id) };
}

/** Ends the links whose time is over. */
export async function expireRestores(hub: Hub): Promise<number> {
  return hub.db.$executeRaw`UPDATE restores SET status = 'EXPIRED' WHERE status = 'READY' AND expires_at <= now()`;
}
