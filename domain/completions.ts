// How held jobs end well: the snapshot that a backup made, the findings of a test, a deletion, a prepared download.
import * as z from "zod";
import type { Job, Prisma, Snapshot } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { markSnapshotWhole } from "./damage.ts";
import { InvalidInputError, LeaseLostError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { hostKeyInput, parseInput } from "./input.ts";
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

/** Most warnings that are kept with a snapshot's row; the artifact's catalogue has all of them. */
const keptWarnings = 1000;

/** Ends the job and records its outcome, in one transaction. Repeating it under the same lease answers the same. */
export async function completeJob(hub: Hub, worker: WorkerActor, input: CompleteJobInput): Promise<Lease> {
  const answer = { jobId: input.jobId, leaseEpoch: input.leaseEpoch };
  return transact(hub, async (tx, announce) => {
    if (await endedAlready(tx, worker, input, ["COMPLETED"])) return answer;
    const job = await underLease(tx, worker, input);
    const outcome = await record(tx, worker, job, input);
    if (job.type !== "TEST_SOURCE") announce.snapshotsChanged(job.tenantId);
    if (job.type === "BACKUP") announce.happened?.({ kind: "stored", ...storedIn(input.snapshot) });
    await changeJob(tx, announce, {
      jobId: job.id,
      data: { status: "COMPLETED", endedAt: await now(tx), leaseExpiresAt: null, ...outcome },
      kind: "state",
      facts: { status: "COMPLETED" },
    });
    await audit(tx, worker, { tenantId: job.tenantId, verb: "completeJob", objectId: job.id, after: answer });
    return answer;
  });
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

async function record(
  tx: Transaction,
  worker: WorkerActor,
  job: Job,
  input: CompleteJobInput,
): Promise<Prisma.JobUncheckedUpdateInput> {
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

async function recordSnapshot(
  tx: Transaction,
  worker: WorkerActor,
  job: Job,
  made: unknown,
): Promise<Prisma.JobUncheckedUpdateInput> {
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
