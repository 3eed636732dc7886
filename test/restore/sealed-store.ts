// A worker's store with really sealed snapshots, and the jobs that a hub would hand out for them.
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { type Entry, localStorage, seal, snapshotDirectory } from "#artifact/node";
import type { RestoreJob } from "../../restore/prepare.ts";

export interface Snapshot {
  readonly snapshotId: string;
  readonly manifestSha256: string;
  readonly artifactSha256: string;
  /** The tenant's key. */
  readonly identity: string;
  /** Where its files lie. */
  readonly directory: string;
}

export interface Wish {
  readonly form?: "ZIP" | "TAR";
  readonly selection?: string[];
  readonly maxDownloadBytes?: number;
}

const owner = "wrk_store";
const sourceId = "src_1";
const tenantId = "ten_1";
let count = 0;

export async function sealSnapshot(base: string, entries: Iterable<Entry>): Promise<Snapshot> {
  const identity = await generateX25519Identity();
  const ids = { tenantId, sourceId, snapshotId: `snp_${++count}`, jobId: "job_0", workerId: owner };
  const { manifestSha256, artifactSha256 } = await seal({
    entries: each(entries),
    recipients: [await identityToRecipient(identity)],
    ids,
    storage: localStorage(base),
    attempt: "1",
    signal: AbortSignal.timeout(60_000),
    createdAt: new Date(),
  });
  await mark(base, owner);
  const directory = join(base, snapshotDirectory(ids));
  return { snapshotId: ids.snapshotId, manifestSha256, artifactSha256, identity, directory };
}

/** Says whose store it is. */
export async function mark(base: string, workerId: string): Promise<void> {
  await writeFile(join(base, ".xvault-store.json"), JSON.stringify({ workerId }));
}

export function restoreJob(snapshot: Snapshot, wish: Wish = {}): { job: RestoreJob; token: string } {
  const { form = "ZIP", selection = [], maxDownloadBytes = 0 } = wish;
  const { snapshotId, manifestSha256, artifactSha256 } = snapshot;
  const token = randomBytes(32).toString("base64url");
  const tokenHash = createHash("sha256").update(token).digest("hex");
  const fileName = `${snapshotId}.${form.toLowerCase()}`;
  count += 1;
  const job: RestoreJob = {
    ...{ jobId: `job_${count}`, tenantId, type: "RESTORE", leaseEpoch: 1, leaseSeconds: 60, attempt: 1 },
    timeLimitSeconds: 3600,
    ...{ source: null, backup: null, check: null },
    snapshot: { snapshotId, sourceId, manifestSha256, artifactSha256, storageWorkerId: owner },
    restore: { restoreId: `rst_${count}`, form, selection, tokenHash, maxDownloadBytes, fileName },
  };
  return { job, token };
}

/** As the hub answers `claimSecrets`. */
export async function sealedFor(publicKey: string, identity: string): Promise<{ sealed: string }> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(publicKey);
  const sealed = await encrypter.encrypt(JSON.stringify({ identities: [identity] }));
  return { sealed: Buffer.from(sealed).toString("base64") };
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
