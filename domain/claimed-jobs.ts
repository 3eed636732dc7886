// What a worker is told about the jobs that it got: read for all of them at once, however many there are.
import type { Job, Restore, Snapshot, Source, SourceType, Tenant } from "../prisma/client/client.ts";
import { checkRate } from "./checks.ts";
import type { ClaimedJob, ClaimedSource } from "./claims.ts";
import type { Transaction } from "./hub.ts";
import { remainingBytes } from "./quotas.ts";
import { readSetting } from "./settings.ts";
import { parseDraft } from "./source-tests.ts";

/** What names of downloads end in. */
const endings = { ZIP: "zip", TAR: "tar", SEALED: "tar.zst.age" } as const;

export interface Terms {
  readonly leaseSeconds: number;
  readonly minutes: (type: Job["type"]) => number;
}

/** In their order. Throws where something that one of them is about is not there. */
export async function describeJobs(tx: Transaction, jobs: readonly Job[], terms: Terms): Promise<ClaimedJob[]> {
  const rows = await readRows(tx, jobs);
  const maxDownloadMiB = rows.restores.size > 0 ? await readSetting(tx, "max_download_size_mb") : 0;
  const rateBytes = jobs.some(({ type }) => type === "VERIFY") ? await checkRate(tx) : null;
  return jobs.map((job) => {
    const snapshot = job.targetSnapshotId ? of(rows.snapshots, job.targetSnapshotId) : null;
    const restore = job.type === "RESTORE" ? of(rows.restores, job.id) : null;
    return {
      jobId: job.id,
      tenantId: job.tenantId,
      type: job.type,
      leaseEpoch: job.leaseEpoch,
      leaseSeconds: terms.leaseSeconds,
      timeLimitSeconds: terms.minutes(job.type) * 60,
      attempt: job.attempt,
      source: job.sourceId ? describeSource(of(rows.sources, job.sourceId)) : describeDraft(job),
      backup: job.attemptSnapshotId
        ? {
            snapshotId: job.attemptSnapshotId,
            ...of(rows.tenants, job.tenantId),
            maxBytesPerSecond: of(rows.sources, job.sourceId ?? "").maxBytesPerSecond,
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
      check: job.type === "VERIFY" ? { depth: job.verifyDepth ?? "BYTES", rateBytes } : null,
    };
  });
}

interface Rows {
  readonly snapshots: ReadonlyMap<string, Omit<Snapshot, "manifest" | "warnings">>;
  readonly sources: ReadonlyMap<string, Source>;
  /** By job. */
  readonly restores: ReadonlyMap<string, Restore>;
  /** What backups of a tenant are sealed to, and what its plan leaves for them. */
  readonly tenants: ReadonlyMap<string, { recipients: string[]; maxBytes: bigint | null }>;
}

/** Nothing is asked for that none of them is about. */
async function readRows(tx: Transaction, jobs: readonly Job[]): Promise<Rows> {
  const snapshotIds = named(jobs.map(({ targetSnapshotId }) => targetSnapshotId));
  const sourceIds = named(jobs.map(({ sourceId }) => sourceId));
  const restoreJobs = named(jobs.map(({ id, type }) => (type === "RESTORE" ? id : null)));
  const tenantIds = named(jobs.map(({ tenantId, attemptSnapshotId }) => (attemptSnapshotId ? tenantId : null)));
  // Manifests and warnings may be megabytes, and no worker is told of them.
  const omit = { manifest: true, warnings: true } as const;
  const snapshots = snapshotIds.length ? await tx.snapshot.findMany({ where: { id: { in: snapshotIds } }, omit }) : [];
  const sources = sourceIds.length ? await tx.source.findMany({ where: { id: { in: sourceIds } } }) : [];
  const restores = restoreJobs.length ? await tx.restore.findMany({ where: { jobId: { in: restoreJobs } } }) : [];
  return {
    snapshots: new Map(snapshots.map((row) => [row.id, row])),
    sources: new Map(sources.map((row) => [row.id, row])),
    restores: new Map(restores.map((row) => [row.jobId, row])),
    tenants: tenantIds.length ? await readTenants(tx, tenantIds) : new Map(),
  };
}

async function readTenants(tx: Transaction, ids: string[]): Promise<Rows["tenants"]> {
  const rows: Tenant[] = await tx.tenant.findMany({ where: { id: { in: ids } } });
  const keys = await tx.tenantKey.findMany({
    where: { tenantId: { in: ids }, status: "ACTIVE" },
    orderBy: { id: "asc" },
    select: { tenantId: true, publicKey: true },
  });
  const tenants = new Map<string, { recipients: string[]; maxBytes: bigint | null }>();
  for (const row of rows) tenants.set(row.id, { recipients: [], maxBytes: await remainingBytes(tx, row) });
  for (const { tenantId, publicKey } of keys) tenants.get(tenantId)?.recipients.push(publicKey);
  return tenants;
}

function describeSource({ id, type, config, hostKey, jumpHostKey, credentialId }: Source): ClaimedSource {
  return { sourceId: id, type, config, hostKey, jumpHostKey, hasCredential: credentialId !== null };
}

function describeDraft({ sourceDraft }: Job): ClaimedSource | null {
  if (sourceDraft === null) return null;
  const { type, config, credentialId }: { type: SourceType; config: unknown; credentialId: string | null } =
    parseDraft(sourceDraft);
  return { sourceId: null, type, config, hostKey: null, jumpHostKey: null, hasCredential: credentialId !== null };
}

function named(ids: readonly (string | null)[]): string[] {
  return [...new Set(ids.filter((id) => id !== null))];
}

function of<Row>(rows: ReadonlyMap<string, Row>, id: string): Row {
  const row = rows.get(id);
  if (row === undefined) throw new Error(`there is no row ${id} that a queued job is about`);
  return row;
}
