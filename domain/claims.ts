// Hands the next due job to a worker under a new lease, with what it needs to do it.
import type { Depth, Job, JobType, RestoreForm, SourceType } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { checkRate } from "./checks.ts";
import { SnapshotInUseError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { activeRecipients } from "./keys.ts";
import { isWithinRunningJobs, remainingBytes } from "./quotas.ts";
import { typesOverSsh } from "./rules/source-config.ts";
import { readSetting } from "./settings.ts";
import { beginDeletion } from "./snapshots.ts";
import { parseDraft } from "./source-tests.ts";
import { besideHeldJobs } from "./suspects.ts";
import { setDeadline } from "./time-limits.ts";
import { requireWorker, serves } from "./workers.ts";

/** What names of downloads end in. */
const endings = { ZIP: "zip", TAR: "tar", SEALED: "tar.zst.age" } as const;

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

/**
 * Takes the next due job that this worker can serve: higher priority first, then the tenant with the fewest jobs running, then the
 * oldest. Two claimers never get the same job (`SKIP LOCKED`), and every claim has an epoch of its own. A backup waits while the
 * host keys of its source are not pinned: a password is never sent to a host that nobody knows. A tenant that has as many jobs
 * running as its plan allows waits, and so does a backup outside the window of its schedule. Of a suspended tenant nothing but restores is given out, and of one whose end is due what
 * removes its snapshots. A deletion waits while its snapshot is being restored. Null: nothing is due.
 */
export async function claimJob(
  hub: Hub,
  worker: WorkerActor,
  { types }: { types: readonly JobType[] },
): Promise<ClaimedJob | null> {
  const passedOver: string[] = [];
  for (;;) {
    try {
      return await claimNext(hub, worker, types, passedOver);
    } catch (error) {
      // A restore began in the very moment in which its snapshot was to be removed: that deletion waits from now on.
      if (error instanceof SnapshotInUseError) continue;
      // Another claimer took the tenant's last free place meanwhile. Each try holds the lock of one tenant at most.
      if (!(error instanceof NoPlaceLeft)) throw error;
      passedOver.push(error.tenantId);
    }
  }
}

/** Undoes the claim: it is one more than the tenant's plan allows. */
class NoPlaceLeft extends Error {
  readonly tenantId: string;
  constructor(tenantId: string) {
    super(`tenant ${tenantId} has as many jobs running as it may`);
    this.tenantId = tenantId;
  }
}

function claimNext(
  hub: Hub,
  worker: WorkerActor,
  types: readonly JobType[],
  passedOver: readonly string[],
): Promise<ClaimedJob | null> {
  return transact(hub, async (tx, announce) => {
    const row = await requireWorker(tx, worker);
    const { jobTypes, sourceTypes, farTypes, stores } = serves(row);
    const wanted = types.filter((type) => jobTypes.includes(type));
    if (row.status === "DRAINING" || row.drainedAt !== null || wanted.length === 0) return null;
    const fitting = await besideHeldJobs(tx, row.id);
    if (fitting === null) return null;
    const snapshotId = newId("snapshot", await now(tx));
    const [claimed] = await tx.$queryRaw<{ id: string; tenant_id: string }[]>`
      UPDATE jobs SET status = 'RUNNING', worker_id = ${row.id}, attempt = attempt + 1,
        lease_epoch = lease_epoch + 1, lease_expires_at = now() + make_interval(secs => ${hub.terms.leaseSeconds}),
        started_at = COALESCE(started_at, now()), event_seq = event_seq + 1,
        attempt_snapshot_id = CASE WHEN type = 'BACKUP' THEN ${snapshotId} END,
        progress = NULL, error_code = NULL, error_message = NULL
      WHERE id = (
        SELECT j.id FROM jobs j
          JOIN tenants t ON t.id = j.tenant_id AND NOT (t.id = ANY(${[...passedOver]}::text[]))
            AND (t.status = 'ACTIVE' OR j.type = 'RESTORE'
              OR (t.status = 'DELETING' AND t.deletion_due_at <= now() AND j.type = 'DELETE_SNAPSHOT'))
          LEFT JOIN sources s ON s.id = j.source_id
          LEFT JOIN (SELECT tenant_id, count(*) AS jobs FROM jobs WHERE status IN ('RUNNING', 'FINALIZING') AND type <> 'VERIFY' GROUP BY 1) running
            ON running.tenant_id = j.tenant_id
        WHERE j.status = 'QUEUED' AND j.not_before <= now() AND ${fitting}
          AND (j.window_ends_at IS NULL OR j.window_ends_at > now())
          AND (t.max_running_jobs IS NULL OR j.type = 'VERIFY' OR COALESCE(running.jobs, 0) < t.max_running_jobs)
          AND j.type = ANY(${wanted}::text[]::job_type[])
          AND (j.type <> 'VERIFY' OR (j.verify_depth = 'CONTENT') = ${row.role === "RESTORE"})
          AND ((s.id IS NULL AND j.source_draft IS NULL)
            OR COALESCE(s.type::text, j.source_draft->>'type') = ANY(${sourceTypes}::text[]))
          AND (NOT COALESCE(COALESCE(s.type::text, j.source_draft->>'type') = ANY(${farTypes}::text[]), false)
            OR COALESCE(COALESCE(s.config, j.source_draft->'config')->'ssh'->>'dump',
              CASE WHEN COALESCE(s.config, j.source_draft->'config') ? 'ssh' THEN 'far' END) = 'far')
          AND (j.type <> 'BACKUP' OR s.host_key IS NOT NULL
            OR NOT (s.type::text = ANY(${[...typesOverSsh]}::text[]) OR s.config ? 'ssh'))
          AND (j.type <> 'BACKUP' OR s.jump_host_key IS NOT NULL
            OR NOT (s.config ? 'jump' OR COALESCE(s.config->'ssh' ? 'jump', false)))
          AND (j.target_worker_id IS NULL OR j.target_worker_id = ANY(${stores}::text[]))
          AND (j.type <> 'DELETE_SNAPSHOT' OR NOT EXISTS (SELECT FROM restores r
            WHERE r.tenant_id = j.tenant_id AND r.snapshot_id = j.target_snapshot_id AND r.status = 'PREPARING'))
        ORDER BY j.priority DESC, COALESCE(running.jobs, 0), j.created_at, j.id
        LIMIT 1 FOR UPDATE OF j SKIP LOCKED)
      RETURNING id, tenant_id`;
    if (!claimed) return null;
    if (!(await isWithinRunningJobs(tx, claimed.tenant_id))) throw new NoPlaceLeft(claimed.tenant_id);
    const job = await tx.job.findUniqueOrThrow({ where: { id: claimed.id } });
    if (job.type === "DELETE_SNAPSHOT" && job.targetSnapshotId) await beginDeletion(tx, announce, job.targetSnapshotId);
    await tx.jobEvent.create({
      data: {
        jobId: job.id,
        seq: job.eventSeq,
        tenantId: job.tenantId,
        kind: "state",
        facts: { status: "RUNNING", attempt: job.attempt },
      },
    });
    const { tenantId, leaseEpoch, attempt } = job;
    await audit(tx, worker, { tenantId, verb: "claimJob", objectId: job.id, after: { leaseEpoch, attempt } });
    announce.jobChanged(job.id, tenantId);
    announce.happened?.({ kind: "claimed", jobId: job.id, type: job.type });
    return describe(hub, tx, job);
  });
}

async function describe(hub: Hub, tx: Transaction, job: Job): Promise<ClaimedJob> {
  const snapshot = job.targetSnapshotId
    ? await tx.snapshot.findUniqueOrThrow({ where: { id: job.targetSnapshotId } })
    : null;
  const restore = job.type === "RESTORE" ? await tx.restore.findUniqueOrThrow({ where: { jobId: job.id } }) : null;
  const maxDownloadMiB = restore ? await readSetting(tx, "max_download_size_mb") : 0;
  return {
    jobId: job.id,
    tenantId: job.tenantId,
    type: job.type,
    leaseEpoch: job.leaseEpoch,
    leaseSeconds: hub.terms.leaseSeconds,
    timeLimitSeconds: await setDeadline(tx, job),
    attempt: job.attempt,
    source: await describeSource(tx, job),
    backup: job.attemptSnapshotId
      ? {
          snapshotId: job.attemptSnapshotId,
          recipients: await activeRecipients(tx, job.tenantId),
          maxBytes: await remainingBytes(tx, await tx.tenant.findUniqueOrThrow({ where: { id: job.tenantId } })),
          maxBytesPerSecond: (await tx.source.findUniqueOrThrow({ where: { id: job.sourceId ?? "" } }))
            .maxBytesPerSecond,
        }
      : null,
    snapshot: snapshot && {
      snapshotId: snapshot.id,
      sourceId: snapshot.sourceId,
      manifestSha256: snapshot.manifestSha256,
      artifactSha256: snapshot.artifactSha256,
      storageWorkerId: snapshot.workerId,
    },
    restore: restore && {
      restoreId: restore.id,
      form: restore.form,
      selection: restore.selection,
      tokenHash: restore.tokenHash,
      maxDownloadBytes: maxDownloadMiB === 0 ? null : BigInt(maxDownloadMiB) * 1_048_576n,
      fileName: `${restore.snapshotId}.${endings[restore.form]}`,
    },
    check: job.type === "VERIFY" ? { depth: job.verifyDepth ?? "BYTES", rateBytes: await checkRate(tx) } : null,
  };
}

async function describeSource(tx: Transaction, { sourceId, sourceDraft }: Job): Promise<ClaimedSource | null> {
  if (sourceId) {
    const { type, config, hostKey, jumpHostKey, credentialId } = await tx.source.findUniqueOrThrow({
      where: { id: sourceId },
    });
    return { sourceId, type, config, hostKey, jumpHostKey, hasCredential: credentialId !== null };
  }
  if (sourceDraft === null) return null;
  const { type, config, credentialId } = parseDraft(sourceDraft);
  return { sourceId: null, type, config, hostKey: null, jumpHostKey: null, hasCredential: credentialId !== null };
}
