// A worker that the test plays itself, through the real private API, and the snapshots that it says it made.
import { createHash } from "node:crypto";
import { Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { type ClaimedJob, connectHub, type HubClient, protocolVersion } from "../../clients/hub/hub-client.ts";
import { newId } from "../../domain/ids.ts";
import { fingerprint } from "../../domain/keys.ts";
import type { JobType, SourceType } from "../../prisma/client/client.ts";
import type { StagedHub } from "../stage/hub.ts";
import { type StagedTenant, startJob } from "../stage/tenant.ts";

/** A host key as a source test reports it. */
export const hostKey = `SHA256:${"k".repeat(43)}`;

export interface PlayedWorker {
  readonly id: string;
  readonly token: string;
  readonly api: HubClient;
  /** What the hub seals its secrets to. */
  readonly publicKey: string;
  claim(...types: JobType[]): Promise<ClaimedJob | null>;
  /** Like `claim`; throws where there is nothing. */
  take(...types: JobType[]): Promise<ClaimedJob>;
  /** What is inside of `claimSecrets`. Throws where it is sealed to somebody else. */
  unseal(sealed: string): Promise<unknown>;
}

export interface PlayedWorkerOptions {
  readonly role?: "BACKUP" | "RESTORE";
  readonly jobTypes?: readonly JobType[];
  readonly sourceTypes?: readonly SourceType[];
  readonly readsStoresOf?: readonly string[];
  /** Versions of its tools, null for what it has not; of a worker that does not say where they are left out. */
  readonly tools?: Readonly<Record<string, string | null>>;
}

/** Enrols and registers a worker that can do all that its role allows, unless it is told otherwise. */
export async function playWorker(
  hub: Pick<StagedHub, "enrol" | "privateUrl">,
  options: PlayedWorkerOptions = {},
): Promise<PlayedWorker> {
  const { role = "BACKUP", readsStoresOf = [], sourceTypes = role === "BACKUP" ? ["SFTP"] : [] } = options;
  const jobTypes = options.jobTypes ?? ["BACKUP", "RESTORE", "DELETE_SNAPSHOT", "VERIFY", "TEST_SOURCE"];
  const { id, token } = await hub.enrol(role);
  const api = connectHub({ baseUrl: hub.privateUrl, token });
  const identity = await generateX25519Identity();
  const publicKey = await identityToRecipient(identity);
  await api.registerWorker({
    protocol: protocolVersion,
    role,
    publicKey,
    storageBase: "/played",
    capabilities: {
      version: "0",
      jobTypes: [...jobTypes],
      sourceTypes: [...sourceTypes],
      tools: options.tools ?? {},
      readsStoresOf: [...readsStoresOf],
    },
  });
  const claim = (...types: JobType[]) => api.claimJob({ types });
  return {
    id,
    token,
    api,
    publicKey,
    claim,
    async take(...types) {
      const job = await claim(...types);
      if (!job) throw new Error(`there is no job of type ${types.join(" or ")} to be claimed`);
      return job;
    },
    async unseal(sealed) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      return JSON.parse(await decrypter.decrypt(Buffer.from(sealed, "base64"), "text"));
    },
  };
}

/** What `completeJob` takes for a backup, as a worker that did its work would say it. */
export function madeSnapshot(job: ClaimedJob) {
  const { tenantId, jobId, source, backup } = job;
  if (!source || !backup) throw new Error(`job ${jobId} is no backup`);
  const manifest = {
    format: "xvault-artifact",
    version: 1,
    ids: { tenantId, sourceId: source.sourceId, snapshotId: backup.snapshotId, jobId, workerId: "wrk_played" },
    recipients: backup.recipients.map((key) => ({ algorithm: "X25519", fingerprint: fingerprint(key) })),
  };
  return {
    snapshotId: backup.snapshotId,
    manifest,
    manifestSha256: createHash("sha256").update(JSON.stringify(manifest)).digest("hex"),
    artifactSha256: createHash("sha256").update(backup.snapshotId).digest("hex"),
    plainBytes: 5_000_000_000,
    storedBytes: 1_000_000_000,
    fileCount: 3,
    durationMs: 1_200,
    partial: true,
    warnings: [{ code: "UNREADABLE", path: "etc/shadow", message: "It could not be read." }],
  };
}

/** The same artifact as one that the database knows nothing of, made by this worker. */
export function forgotten(made: ReturnType<typeof madeSnapshot>, workerId: string) {
  const [snapshotId, jobId] = [newId("snapshot", new Date()), newId("job", new Date())];
  const manifest = { ...made.manifest, ids: { ...made.manifest.ids, snapshotId, jobId, workerId } };
  return {
    ...made,
    snapshotId,
    manifest: { ...manifest, ids: { ...manifest.ids, sourceId: manifest.ids.sourceId ?? "" } },
  };
}

export function leaseOf({ jobId, leaseEpoch }: ClaimedJob) {
  return { jobId, leaseEpoch };
}

/** A source of the tenant whose host key is pinned, by way of a test. */
export async function testedSource(tenant: StagedTenant, worker: PlayedWorker): Promise<string> {
  const credentialId = await tenant.createCredential({ password: "of a staged source" });
  const config = { host: "files.example.com", username: "backup", path: "/srv" };
  const sourceId = await tenant.createSftpSource(config, credentialId);
  await startJob(tenant.ask, "testSource", sourceId);
  await worker.api.completeJob({ ...leaseOf(await worker.take("TEST_SOURCE")), findings: { files: 3 }, hostKey });
  return sourceId;
}

/** Backs the source up and returns the snapshot's id. */
export async function backUp(tenant: StagedTenant, worker: PlayedWorker, sourceId: string): Promise<string> {
  await startJob(tenant.ask, "startBackup", sourceId);
  const job = await worker.take("BACKUP");
  const snapshot = madeSnapshot(job);
  await worker.api.completeJob({ ...leaseOf(job), snapshot });
  return snapshot.snapshotId;
}
