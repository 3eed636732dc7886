// How held jobs end well: the snapshot that a backup made, the findings of a test, a deletion, a prepared download.
import * as z from "zod";
import type { Job, Prisma, Snapshot } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { markSnapshotWhole } from "./damage.ts";
import { InvalidInputError, LeaseLostError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { hostKeyInput, parseInput } from "./input.ts";
import { jobColumns } from "./job-columns.ts";
import { findSealingKey } from "./keys.ts";
import { endedAlready, type Lease, underLease } from "./leases.ts";
import { changeJob } from "./queue.ts";
import { readSetting } from "./settings.ts";
import { snapshotPath } from "./snapshots.ts";

const digest = z.string().regex(/^[0-9a-f]{64}$/, "A digest is 64 hexadecimal digits.");
const bytes = z.coerce.bigint().min(0n);

/** Text of which the beginning is enough: a backup is never refused because a path in its warnings is long. */
const text = (length: number) => z.string().transform((value) => value.slice(0, length));

/** The parts of a manifest that the hub relies on; the rest is kept as it is. */
const manifestInput = z.looseObject({
  ids: z.looseObject({ tenantId: z.string(), sourceId: z.string(), snapshotId: z.string(), jobId: z.string() }),
  recipients: z.array(z.looseObject({ fingerprint: z.string() })).min(1),
});

export const snapshotInput = z.object({
  snapshotId: z.string(),
  manifest: manifestInput,
  manifestSha256: digest,
  artifactSha256: digest,
  plainBytes: bytes,
  storedBytes: bytes,
  fileCount: z.number().int().min(0),
  durationMs: z.number().int().min(0),
  partial: z.boolean(),
  warnings: z.array(z.object({ code: text(64), path: text(8192), message: text(1000) })),
});

export interface CompleteJobInput extends Lease {
  /** What a backup made. */
  readonly snapshot?: unknown;
  /** What a source test found. */
  readonly findings?: unknown;
  /** The host keys that a source test saw, `SHA256:…`. */
  readonly hostKey?: string | null | undefined;
  readonly jumpHostKey?: string | null | undefined;
}

/** Jobs that one call ends at most. */
const mostAtOnce = 100;

/** Most warnings that are kept with a snapshot's row; the artifact's catalogue has all of them. */
const keptWarnings = 1000;

/** Ends the job and records its outcome, in one transaction. Repeating it under the same lease answers the same. */
export async function completeJob(hub: Hub, worker: WorkerActor, input: CompleteJobInput): Promise<Lease> {
  const [done] = await completeJobs(hub, worker, [input]);
  if (!done || done.lost) throw new LeaseLostError();
  return { jobId: done.jobId, leaseEpoch: done.leaseEpoch };
}

export interface Completion extends Lease {
  /** The lease was over: nothing was changed. */
  readonly lost: boolean;
}

/**
 * The same for several jobs, in one transaction, and in as few statements as for one. What is wrong with one outcome is wrong with the
 * call; a lease that is over is told of that one job alone.
 */
export async function completeJobs(
  hub: Hub,
  worker: WorkerActor,
  inputs: readonly CompleteJobInput[],
): Promise<Completion[]> {
  if (inputs.length > mostAtOnce)
    throw new InvalidInputError([{ path: "jobs", message: `One call ends ${mostAtOnce} jobs at most.` }]);
  return transact(hub, async (tx, announce) => {
    const held = await lockLeases(tx, worker, inputs);
    const endings: Ending[] = [];
    const answers: Completion[] = [];
    for (const input of inputs) {
      const { jobId, leaseEpoch } = input;
      const lease = held.get(`${jobId}:${leaseEpoch}`);
      const isDone = lease?.job.status === "COMPLETED" || endings.some(({ id }) => id === jobId);
      answers.push({ jobId, leaseEpoch, lost: !isDone && !lease?.alive });
      if (isDone || !lease?.alive) continue;
      const outcome = await record(tx, worker, lease.job, input);
      endings.push({ id: jobId, auditId: newId("auditEvent", lease.now), warningCount: 0, findings: null, ...outcome });
      if (lease.job.type !== "TEST_SOURCE") announce.snapshotsChanged(lease.job.tenantId);
      if (lease.job.type === "BACKUP") announce.happened?.({ kind: "stored", ...storedIn(input.snapshot) });
      announce.happened?.({ kind: "ended", jobId, type: lease.job.type, status: "COMPLETED", code: null });
      announce.jobChanged(jobId, lease.job.tenantId);
    }
    if (endings.length > 0) await writeEndings(tx, worker, endings);
    return answers;
  });
}

/** What an outcome adds to the row of its job. */
interface Outcome {
  readonly warningCount?: number;
  readonly findings?: Prisma.InputJsonObject;
}

interface Ending {
  readonly id: string;
  readonly auditId: string;
  readonly warningCount: number;
  readonly findings: Prisma.InputJsonObject | null;
}

/** The lock makes a report wait for the same one that is still being written down. */
async function lockLeases(tx: Transaction, worker: WorkerActor, leases: readonly Lease[]) {
  const rows = await tx.$queryRaw<(Job & { alive: boolean; now: Date })[]>`
    SELECT ${jobColumns}, status IN ('RUNNING', 'FINALIZING') AND lease_expires_at > now() AS alive, now() AS now
    FROM jobs WHERE worker_id = ${worker.workerId} AND (id, lease_epoch) IN (
      SELECT * FROM unnest(${leases.map(({ jobId }) => jobId)}::text[], ${leases.map(({ leaseEpoch }) => leaseEpoch)}::int[]))
    ORDER BY id FOR UPDATE`;
  return new Map(rows.map(({ alive, now: at, ...job }) => [`${job.id}:${job.leaseEpoch}`, { job, alive, now: at }]));
}

async function writeEndings(tx: Transaction, worker: WorkerActor, endings: readonly Ending[]): Promise<void> {
  await tx.$executeRaw`
    WITH ended AS (
      UPDATE jobs j SET status = 'COMPLETED', ended_at = now(), lease_expires_at = NULL, event_seq = event_seq + 1,
        warning_count = e."warningCount", findings = COALESCE(e.findings, j.findings)
      FROM jsonb_to_recordset(${JSON.stringify(endings)}::jsonb)
        AS e(id text, "auditId" text, "warningCount" int, findings jsonb)
      WHERE j.id = e.id RETURNING j.*, e."auditId" AS audit_id
    ), logged AS (
      INSERT INTO job_events (job_id, seq, tenant_id, kind, facts)
      SELECT id, event_seq, tenant_id, 'state', '{"status":"COMPLETED"}' FROM ended
    )
    INSERT INTO audit_events (id, tenant_id, actor_kind, actor_id, verb, object_id, after)
    SELECT audit_id, tenant_id, 'worker', ${worker.workerId}, 'completeJob', id,
      jsonb_build_object('jobId', id, 'leaseEpoch', lease_epoch) FROM ended`;
}

/** Ends a restore job: the download is ready, and expires when the settings say. */
export async function completeRestore(
  hub: Hub,
  worker: WorkerActor,
  input: Lease & { sizeBytes: bigint | number },
): Promise<{ expiresAt: Date }> {
  return transact(hub, async (tx, announce) => {
    if (await endedAlready(tx, worker, input, ["COMPLETED"])) {
      const restore = await tx.restore.findUnique({ where: { jobId: input.jobId } });
      if (restore?.expiresAt) return { expiresAt: restore.expiresAt };
    }
    const job = await underLease(tx, worker, input);
    if (job.type !== "RESTORE") throw otherCommand("completeJob");
    const at = await now(tx);
    const hours = await readSetting(tx, "download_expiration_hours");
    const expiresAt = new Date(at.getTime() + hours * 3_600_000);
    const { count } = await tx.restore.updateMany({
      where: { jobId: job.id, status: "PREPARING" },
      data: { status: "READY", expiresAt, sizeBytes: BigInt(input.sizeBytes) },
    });
    // It was revoked meanwhile: what was prepared is not to be served.
    if (count === 0) throw new LeaseLostError();
    await changeJob(tx, announce, {
      jobId: job.id,
      data: { status: "COMPLETED", endedAt: at, leaseExpiresAt: null },
      kind: "state",
      facts: { status: "COMPLETED" },
    });
    await audit(tx, worker, {
      tenantId: job.tenantId,
      verb: "completeRestore",
      objectId: job.id,
      after: { leaseEpoch: input.leaseEpoch, sizeBytes: String(input.sizeBytes), expiresAt: expiresAt.toISOString() },
    });
    return { expiresAt };
  });
}

const sizes = z.object({ plainBytes: bytes, storedBytes: bytes });

function storedIn(snapshot: unknown): { sourceBytes: number; storedBytes: number } {
  const { plainBytes, storedBytes } = sizes.parse(snapshot);
  return { sourceBytes: Number(plainBytes), storedBytes: Number(storedBytes) };
}

async function record(tx: Transaction, worker: WorkerActor, job: Job, input: CompleteJobInput): Promise<Outcome> {
  switch (job.type) {
    case "BACKUP":
      return recordSnapshot(tx, worker, job, input.snapshot);
    case "TEST_SOURCE":
      await pinHostKeys(tx, job, input);
      return { findings: (input.findings ?? {}) as Prisma.InputJsonObject };
    case "DELETE_SNAPSHOT":
      await tx.snapshot.updateMany({
        where: { id: job.targetSnapshotId ?? "", status: "DELETING" },
        data: { status: "DELETED", deletedAt: await now(tx) },
      });
      return {};
    case "VERIFY":
      await markSnapshotWhole(tx, worker, job);
      return {};
    case "RESTORE":
      throw otherCommand("completeRestore");
  }
}

/** A source that was changed meanwhile is another host, or is to be looked at anew: this test did not see that. */
async function pinHostKeys(
  tx: Transaction,
  { sourceId, startedAt }: Job,
  { hostKey, jumpHostKey }: CompleteJobInput,
): Promise<void> {
  if (!hostKey && !jumpHostKey) return;
  // Held until the keys are written: nobody moves the source to another host in between.
  if (sourceId) await tx.$queryRaw`SELECT id FROM sources WHERE id = ${sourceId} FOR UPDATE`;
  const source = sourceId ? await tx.source.findUnique({ where: { id: sourceId } }) : null;
  if (!source || !startedAt || source.updatedAt > startedAt) return;
  await tx.source.update({
    where: { id: source.id },
    data: {
      ...(hostKey && source.hostKey === null && { hostKey: parseInput(hostKeyInput, hostKey) }),
      ...(jumpHostKey && source.jumpHostKey === null && { jumpHostKey: parseInput(hostKeyInput, jumpHostKey) }),
    },
  });
}

async function recordSnapshot(tx: Transaction, worker: WorkerActor, job: Job, made: unknown): Promise<Outcome> {
  const snapshot = parseInput(snapshotInput, made);
  const { tenantId, sourceId } = job;
  const { ids } = snapshot.manifest;
  // The worker's word counts for the bytes alone: whose they are and where they lie, the hub knows by itself.
  if (
    !sourceId ||
    snapshot.snapshotId !== job.attemptSnapshotId ||
    ids.snapshotId !== snapshot.snapshotId ||
    ids.tenantId !== tenantId ||
    ids.sourceId !== sourceId ||
    ids.jobId !== job.id
  )
    throw new LeaseLostError();
  await storeSnapshot(tx, worker, { tenantId, sourceId, jobId: job.id }, snapshot);
  return { warningCount: snapshot.warnings.length };
}

/** Makes the row of a committed artifact. Throws `InvalidInputError` where none of its keys is one of the tenant's. */
export async function storeSnapshot(
  tx: Transaction,
  worker: WorkerActor,
  ids: { readonly tenantId: string; readonly sourceId: string; readonly jobId: string; readonly createdAt?: Date },
  { warnings, ...rest }: z.infer<typeof snapshotInput>,
): Promise<Snapshot> {
  const { tenantId, sourceId } = ids;
  return tx.snapshot.create({
    data: {
      ...ids,
      id: rest.snapshotId,
      status: "COMPLETED",
      manifest: rest.manifest as Prisma.InputJsonObject,
      manifestSha256: rest.manifestSha256,
      artifactSha256: rest.artifactSha256,
      plainBytes: rest.plainBytes,
      storedBytes: rest.storedBytes,
      fileCount: rest.fileCount,
      durationMs: rest.durationMs,
      partial: rest.partial,
      warnings: warnings.slice(0, keptWarnings),
      keyFingerprint: await findSealingKey(tx, tenantId, rest.manifest.recipients),
      storage: "LOCAL_FS",
      workerId: worker.workerId,
      localPath: snapshotPath({ tenantId, sourceId, snapshotId: rest.snapshotId }),
    },
  });
}

function otherCommand(name: string): InvalidInputError {
  return new InvalidInputError([{ path: "jobId", message: `A job of this type is ended by ${name}.` }]);
}
