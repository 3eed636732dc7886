// Artifacts that lie in a store and have no row: because their worker died before it could report them, or because the database was
// set back to an earlier day. What is whole and whose place is known gets its row back; what belongs to nobody goes.
import * as z from "zod";
import type { Job } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { snapshotInput, storeSnapshot } from "./completions.ts";
import { InvalidInputError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { nounOf, timeOf } from "./ids.ts";
import { parseInput } from "./input.ts";
import { standingOf } from "./inventory.ts";
import { changeJob } from "./queue.ts";
import { requireWorker } from "./workers.ts";

/** Whose an artifact says it is. The worker has checked that its place says the same. */
export interface FoundArtifact {
  readonly tenantId: string;
  readonly sourceId: string;
  readonly snapshotId: string;
  /** Null: it is so damaged that it does not say. */
  readonly jobId: string | null;
  readonly workerId: string | null;
  readonly atStart: boolean;
}

export type Verdict =
  /** `urgent`: its job is not done, and would be done again. */
  | { readonly verdict: "ADOPT"; readonly urgent: boolean; readonly reason: null }
  | { readonly verdict: "REMOVE"; readonly urgent: false; readonly reason: string }
  | { readonly verdict: "LEAVE"; readonly urgent: false; readonly reason: string };

const adopt = (urgent: boolean): Verdict => ({ verdict: "ADOPT", urgent, reason: null });
const remove = (reason: string): Verdict => ({ verdict: "REMOVE", urgent: false, reason });
const leave = (reason: string): Verdict => ({ verdict: "LEAVE", urgent: false, reason });

/** What is to become of an artifact that has no row. Changes nothing. */
export function weighArtifact(hub: Hub, worker: WorkerActor, found: FoundArtifact): Promise<Verdict> {
  return transact(asPlatform(hub), async (tx) => (await weigh(tx, worker, found)).verdict);
}

const adoptionInput = z.object({ atStart: z.boolean(), snapshot: snapshotInput });

/**
 * Gives an artifact whose bytes the worker has verified its row, if that is still what is to become of it. Its job is completed by it,
 * or made anew where the database does not know it any more. Doing it again changes nothing.
 */
export function adoptSnapshot(hub: Hub, worker: WorkerActor, input: unknown): Promise<Verdict> {
  const { atStart, snapshot } = parseInput(adoptionInput, input);
  const { ids } = snapshot.manifest;
  const found = { ...ids, workerId: typeof ids.workerId === "string" ? ids.workerId : null, atStart };
  return transact(asPlatform(hub), async (tx, announce) => {
    const { verdict, job } = await weigh(tx, worker, found);
    const createdAt = timeOf(snapshot.snapshotId);
    if (verdict.verdict !== "ADOPT" || !createdAt || ids.snapshotId !== snapshot.snapshotId) return verdict;
    const { tenantId, sourceId, jobId } = ids;
    const warningCount = snapshot.warnings.length;
    try {
      if (job) await completeLate(tx, announce, { job, worker, warningCount });
      else await makeUp(tx, announce, { ...ids, worker, startedAt: createdAt, warningCount });
      await storeSnapshot(tx, worker, { tenantId, sourceId, jobId, createdAt }, snapshot);
    } catch (error) {
      if (error instanceof InvalidInputError) throw new KeysUnknown();
      throw error;
    }
    announce.snapshotsChanged(tenantId);
    await audit(tx, worker, {
      tenantId,
      verb: "adoptSnapshot",
      objectId: snapshot.snapshotId,
      after: { jobId, artifactSha256: snapshot.artifactSha256, storedBytes: String(snapshot.storedBytes) },
    });
    return verdict;
  }).catch((error: unknown) => {
    if (error instanceof KeysUnknown) return leave("none of its keys is a key of its tenant");
    throw error;
  });
}

/** Undoes the transaction: nobody could ever open it. */
class KeysUnknown extends Error {}

async function weigh(
  tx: Transaction,
  worker: WorkerActor,
  found: FoundArtifact,
): Promise<{ verdict: Verdict; job: Job | null }> {
  await requireWorker(tx, worker);
  const { tenantId, sourceId, snapshotId, jobId } = found;
  const judged = (verdict: Verdict, job: Job | null = null) => ({ verdict, job });
  // Locked before anything is read: a claim, or the same adoption, waits or is waited for.
  const job = jobId === null ? null : await lockJob(tx, jobId);
  const row = await tx.snapshot.findUnique({ where: { id: snapshotId }, select: { status: true } });
  if (row) return judged(row.status === "DELETED" ? remove("it was deleted") : leave("it is known"));
  const madeAt = nounOf(snapshotId) === "snapshot" ? timeOf(snapshotId) : null;
  if (!madeAt || madeAt > (await now(tx))) return judged(leave("its id is none that was given out here"));
  const standing = await standingOf(tx, tenantId);
  if (standing !== "known")
    return judged(standing === "purged" ? remove("its tenant is gone") : leave("its tenant is not known"));
  const source = await tx.source.findUnique({ where: { tenantId_id: { tenantId, id: sourceId } } });
  if (!source) return judged(leave("its source is not known"));
  if (source.deletedAt) return judged(remove("its source was deleted"));
  if (jobId === null) return judged(remove("it is damaged"));
  if (found.workerId !== worker.workerId) return judged(leave("another worker made it"));
  if (!job) return judged(nounOf(jobId) === "job" ? adopt(false) : leave("its job is none"));
  if (job.tenantId !== tenantId || job.sourceId !== sourceId || job.type !== "BACKUP")
    return judged(leave("its job is about something else"));
  return judged(await weighJob(tx, worker, job, found), job);
}

async function weighJob(tx: Transaction, worker: WorkerActor, job: Job, found: FoundArtifact): Promise<Verdict> {
  switch (job.status) {
    case "QUEUED":
      // Nobody is at it, and what it asked for is there. Null: the database is older than the claim.
      if (job.workerId === null || job.workerId === worker.workerId) return adopt(true);
      return leave("another worker is to do its job");
    case "RUNNING":
    case "FINALIZING":
      // The process that held the lease is gone, and nobody but this worker can have it.
      if (found.atStart && job.workerId === worker.workerId && job.attemptSnapshotId === found.snapshotId)
        return adopt(true);
      return leave("its job is under way");
    case "COMPLETED": {
      const made = await tx.snapshot.count({ where: { tenantId: job.tenantId, jobId: job.id } });
      return made > 0 ? remove("another attempt did its job") : leave("its job has no snapshot");
    }
    case "FAILED":
    case "CANCELED":
      return remove("its job did not succeed");
  }
}

async function lockJob(tx: Transaction, jobId: string): Promise<Job | null> {
  await tx.$queryRaw`SELECT id FROM jobs WHERE id = ${jobId} FOR UPDATE`;
  return tx.job.findUnique({ where: { id: jobId } });
}

/** A job that is not done after all, by what its worker left behind. */
async function completeLate(
  tx: Transaction,
  announce: Announcements,
  { job, worker, warningCount }: { job: Job; worker: WorkerActor; warningCount: number },
): Promise<void> {
  const at = await now(tx);
  // States move forward by one step at a time; a queued job has no attempt under way, so nobody's lease is cut short.
  if (job.status === "QUEUED")
    await tx.job.update({
      where: { id: job.id },
      data: {
        status: "RUNNING",
        workerId: worker.workerId,
        attempt: Math.max(job.attempt, 1),
        leaseEpoch: { increment: 1 },
        startedAt: job.startedAt ?? at,
      },
    });
  await changeJob(tx, announce, {
    jobId: job.id,
    data: {
      status: "COMPLETED",
      endedAt: at,
      leaseExpiresAt: null,
      errorCode: null,
      errorMessage: null,
      warningCount,
    },
    kind: "state",
    facts: { status: "COMPLETED", adopted: true },
  });
}

/** A job that the database has forgotten. */
async function makeUp(
  tx: Transaction,
  announce: Announcements,
  made: {
    tenantId: string;
    sourceId: string;
    jobId: string;
    worker: WorkerActor;
    startedAt: Date;
    warningCount: number;
  },
): Promise<void> {
  const { tenantId, sourceId, jobId, worker, startedAt, warningCount } = made;
  await tx.job.create({
    data: {
      ...{ id: jobId, tenantId, sourceId, type: "BACKUP", status: "COMPLETED", warningCount, startedAt },
      ...{ workerId: worker.workerId, leaseEpoch: 1, attempt: 1, eventSeq: 1 },
      createdAt: timeOf(jobId) ?? startedAt,
      endedAt: await now(tx),
    },
  });
  await tx.jobEvent.create({
    data: { jobId, tenantId, seq: 1, kind: "state", facts: { status: "COMPLETED", adopted: true } },
  });
  announce.jobChanged(jobId, tenantId);
}
