// What a worker may do to the job it holds. Every call names its lease, and changes nothing once that lease is over.

import { Encrypter } from "age-encryption";
import type { Job, JobStatus } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { openCredential } from "./credentials.ts";
import { followFailure } from "./damage.ts";
import { InvalidInputError, LeaseLostError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { openTenantKey } from "./keys.ts";
import { changeJob, ring } from "./queue.ts";
import { type FailureCode, failureCodes, isFailureCode, retryDelaySeconds } from "./rules/failures.ts";
import { afterAttempt } from "./rules/job-states.ts";
import { parseDraft } from "./source-tests.ts";
import { requireWorker } from "./workers.ts";

/** Of a job's own log: a command that never stops talking fills no database. */
const mostEvents = 1000;
const mostLines = 200;
const longestLine = 1000;

export interface Lease {
  readonly jobId: string;
  readonly leaseEpoch: number;
}

/** Locks and returns the job; throws `LeaseLostError` unless exactly this lease is alive by the database's clock. */
export async function underLease(tx: Transaction, worker: WorkerActor, { jobId, leaseEpoch }: Lease): Promise<Job> {
  const [held] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM jobs WHERE id = ${jobId} AND lease_epoch = ${leaseEpoch} AND worker_id = ${worker.workerId}
      AND status IN ('RUNNING', 'FINALIZING') AND lease_expires_at > now() FOR UPDATE`;
  if (!held) throw new LeaseLostError();
  return tx.job.findUniqueOrThrow({ where: { id: jobId } });
}

/** Holds the job for another term, and tells whether somebody asked to cancel it. */
export async function renewLease(hub: Hub, worker: WorkerActor, { jobId, leaseEpoch }: Lease) {
  const [held] = await hub.db.$queryRaw<{ cancelRequested: boolean }[]>`
    UPDATE jobs SET lease_expires_at = now() + make_interval(secs => ${hub.terms.leaseSeconds})
    WHERE id = ${jobId} AND lease_epoch = ${leaseEpoch} AND worker_id = ${worker.workerId}
      AND status IN ('RUNNING', 'FINALIZING') AND lease_expires_at > now()
    RETURNING cancel_requested_at IS NOT NULL AS "cancelRequested"`;
  if (!held) throw new LeaseLostError();
  return { leaseSeconds: hub.terms.leaseSeconds, cancelRequested: held.cancelRequested };
}

/** The secrets of the held job, sealed to the worker's own key: base64 of an age file with JSON inside. */
export async function claimSecrets(hub: Hub, worker: WorkerActor, lease: Lease): Promise<{ sealed: string }> {
  const secrets = await transact(hub, async (tx) => {
    const job = await underLease(tx, worker, lease);
    await audit(tx, worker, { tenantId: job.tenantId, verb: "claimSecrets", objectId: job.id });
    if (job.type === "RESTORE" && job.targetSnapshotId) {
      const { form } = await tx.restore.findUniqueOrThrow({ where: { jobId: job.id } });
      // Nothing is opened, so nobody gets a key.
      if (form === "SEALED") return { identities: [] };
      const snapshot = await tx.snapshot.findUniqueOrThrow({ where: { id: job.targetSnapshotId } });
      return { identities: [await openTenantKey(hub, tx, job.tenantId, snapshot.keyFingerprint)] };
    }
    if (job.type === "VERIFY" && job.verifyDepth === "CONTENT") {
      const snapshot = await tx.snapshot.findUniqueOrThrow({ where: { id: job.targetSnapshotId ?? "" } });
      return { identities: [await openTenantKey(hub, tx, job.tenantId, snapshot.keyFingerprint)] };
    }
    const credentialId = await credentialOf(tx, job);
    return credentialId ? openCredential(hub, tx, job.tenantId, credentialId) : {};
  });
  const { publicKey } = await requireWorker(hub.db, worker);
  if (!publicKey) throw new LeaseLostError();
  const encrypter = new Encrypter();
  encrypter.addRecipient(publicKey);
  return { sealed: Buffer.from(await encrypter.encrypt(JSON.stringify(secrets))).toString("base64") };
}

async function credentialOf(tx: Transaction, { sourceId, sourceDraft }: Job): Promise<string | null> {
  if (sourceId) return (await tx.source.findUniqueOrThrow({ where: { id: sourceId } })).credentialId;
  return sourceDraft === null ? null : parseDraft(sourceDraft).credentialId;
}

/** Lines of what a customer's own commands said, for the job's log. Printable and of bounded length: what is beyond that is cut off. */
export async function recordLog(
  hub: Hub,
  worker: WorkerActor,
  input: Lease & { kind: string; step: string; lines: readonly string[] },
): Promise<Lease> {
  return transact(hub, async (tx, announce) => {
    const job = await underLease(tx, worker, input);
    if (job.eventSeq >= mostEvents) return lease(input);
    const lines = input.lines.slice(0, mostLines).map((line) => line.slice(0, longestLine));
    await changeJob(tx, announce, {
      jobId: job.id,
      data: {},
      kind: "log",
      facts: { kind: input.kind.slice(0, 32), step: input.step.slice(0, 32), lines },
    });
    return lease(input);
  });
}

export type Phase = "CONNECTING" | "PULLING" | "FINALIZING" | "PREPARING" | "DELETING" | "VERIFYING";

/** Notes where the work stands. `FINALIZING` is a state of its own: all bytes are read, the artifact is being made durable. */
export async function enterPhase(
  hub: Hub,
  worker: WorkerActor,
  input: Lease & { phase: Phase; progress?: unknown },
): Promise<Lease> {
  return transact(hub, async (tx, announce) => {
    const job = await underLease(tx, worker, input);
    const progress = { ...(typeof input.progress === "object" ? input.progress : {}), phase: input.phase };
    const finalizing = input.phase === "FINALIZING" && job.status === "RUNNING";
    await changeJob(tx, announce, {
      jobId: job.id,
      data: { progress, ...(finalizing && { status: "FINALIZING" as const }) },
      kind: finalizing ? "state" : "phase",
      facts: finalizing ? { status: "FINALIZING" } : { phase: input.phase },
    });
    return lease(input);
  });
}

/** Ends an attempt that failed. Repeating it under the same lease answers the same. */
export async function failJob(
  hub: Hub,
  worker: WorkerActor,
  input: Lease & { code: string; message: string; missing?: boolean | null | undefined },
): Promise<Lease> {
  const { code } = input;
  // A failure without a name of the closed list is not retried under another one.
  if (!isFailureCode(code))
    throw new InvalidInputError([{ path: "code", message: `A failure is one of ${failureCodes.join(", ")}.` }]);
  return transact(hub, async (tx, announce) => {
    if (await endedAlready(tx, worker, input, ["QUEUED", "FAILED", "CANCELED"])) return lease(input);
    const job = await underLease(tx, worker, input);
    const failure = { code, message: input.message.slice(0, 500) };
    await endAttempt(hub, tx, announce, { job, ...failure });
    await followFailure(tx, announce, worker, { job, ...failure, missing: input.missing === true });
    await audit(tx, worker, {
      tenantId: job.tenantId,
      verb: "failJob",
      objectId: job.id,
      after: { ...lease(input), code },
    });
    return lease(input);
  });
}

/** Gives the job back unfinished; the interrupted attempt does not count. One that was asked to stop ends here. */
export async function releaseJob(hub: Hub, worker: WorkerActor, input: Lease): Promise<Lease> {
  return transact(hub, async (tx, announce) => {
    if (await endedAlready(tx, worker, input, ["QUEUED", "CANCELED"])) return lease(input);
    const job = await underLease(tx, worker, input);
    if (job.cancelRequestedAt) await endAttempt(hub, tx, announce, { job, code: "CANCELED", message: "" });
    else
      await requeue(tx, announce, { job, delaySeconds: 0, maxAttempts: job.maxAttempts + 1, code: "WORKER_OFFLINE" });
    await audit(tx, worker, {
      tenantId: job.tenantId,
      verb: "releaseJob",
      objectId: job.id,
      after: { ...lease(input) },
    });
    return lease(input);
  });
}

/**
 * Takes back the jobs of workers that fell silent: whatever they still report is of an epoch that is over. The next attempt waits a
 * little, and longer each time: it may be the job that its workers die of. Safe in several hubs at once.
 */
export async function sweepLeases(hub: Hub): Promise<number> {
  return transact(hub, async (tx, announce) => {
    const lost = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM jobs WHERE status IN ('RUNNING', 'FINALIZING') AND lease_expires_at <= now()
      ORDER BY lease_expires_at LIMIT 100 FOR UPDATE SKIP LOCKED`;
    for (const { id } of lost) {
      const job = await tx.job.update({
        where: { id },
        data: { leaseEpoch: { increment: 1 }, workersLost: { increment: 1 } },
      });
      const retry = job.attempt < job.maxAttempts && !job.cancelRequestedAt;
      const delaySeconds = retryDelaySeconds(hub.terms.lostDelaysSeconds, job.workersLost);
      if (retry) await requeue(tx, announce, { job, delaySeconds, code: "WORKER_LOST" });
      else
        await endAttempt(hub, tx, announce, {
          job,
          code: "WORKER_LOST",
          message:
            "The worker fell silent in the middle of this job, and so did those that tried it again: ask the operator what their logs say of it.",
        });
    }
    return lost.length;
  });
}

/** What follows an attempt that ended without success; the caller holds the row's lock. */
export async function endAttempt(
  hub: Hub,
  tx: Transaction,
  announce: Announcements,
  { job, code, message }: { job: Job; code: FailureCode; message: string },
): Promise<void> {
  const { attempt, maxAttempts } = job;
  const next = afterAttempt(
    { code, attempt, maxAttempts, cancelRequested: job.cancelRequestedAt !== null, random: Math.random() },
    hub.terms.retryDelaysSeconds,
  );
  if (next.state === "QUEUED") return requeue(tx, announce, { job, delaySeconds: next.delaySeconds, code, message });
  const failed = next.state === "FAILED" ? { errorCode: code, errorMessage: message } : {};
  await tx.restore.updateMany({ where: { jobId: job.id, status: "PREPARING" }, data: { status: "FAILED" } });
  await changeJob(tx, announce, {
    jobId: job.id,
    data: { status: next.state, endedAt: await now(tx), leaseExpiresAt: null, ...failed },
    kind: "state",
    facts: { status: next.state, ...(next.state === "FAILED" && { code, message }) },
  });
}

/** The one way back: running or finalizing → queued. */
async function requeue(
  tx: Transaction,
  announce: Announcements,
  input: { job: Job; delaySeconds: number; maxAttempts?: number; code: FailureCode; message?: string },
): Promise<void> {
  const at = await now(tx);
  const job = await changeJob(tx, announce, {
    jobId: input.job.id,
    data: {
      status: "QUEUED",
      leaseExpiresAt: null,
      deadlineAt: null,
      attemptSnapshotId: null,
      progress: { phase: "WAITING" },
      notBefore: new Date(at.getTime() + input.delaySeconds * 1000),
      ...(input.maxAttempts !== undefined && { maxAttempts: input.maxAttempts }),
    },
    kind: "state",
    facts: { status: "QUEUED", after: input.code, ...(input.message !== undefined && { message: input.message }) },
  });
  await ring(tx, announce, job);
}

/**
 * Locks the job and tells whether this very lease has come to one of these ends: then the report is a repeated one and changes
 * nothing. The lock makes a report wait for the same one that is still being written down.
 */
export async function endedAlready(
  tx: Transaction,
  worker: WorkerActor,
  { jobId, leaseEpoch }: Lease,
  ends: readonly JobStatus[],
): Promise<boolean> {
  const [job] = await tx.$queryRaw<{ status: JobStatus }[]>`
    SELECT status::text FROM jobs
    WHERE id = ${jobId} AND lease_epoch = ${leaseEpoch} AND worker_id = ${worker.workerId} FOR UPDATE`;
  return job !== undefined && ends.includes(job.status);
}

function lease({ jobId, leaseEpoch }: Lease): Lease {
  return { jobId, leaseEpoch };
}
