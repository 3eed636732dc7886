// Prepares one download: opens the snapshot, writes what was asked for out of sight, and publishes it once all of it is proven.
import {
  type ArtifactPlace,
  isEverything,
  type OpenedArtifact,
  openArtifact,
  selectEntries,
  tar,
  zip,
} from "#artifact/node";
import { faultPoint } from "#fault-point";
import type { ClaimedJob, HubClient } from "../clients/hub/hub-client.ts";
import { HubError } from "../clients/hub/hub-error.ts";
import type { ProcessIdentity } from "../clients/hub/identity.ts";
import type { JobProgress, ProgressChannel } from "../clients/hub/progress-channel.ts";
import { type ArchiveFile, tooLarge, writeArchive } from "./archive-file.ts";
import type { Draft, PreparedDownloads } from "./prepared.ts";
import { Progress } from "./progress.ts";
import { openSealed } from "./sealed-file.ts";
import { claimKeys, namingKeys, placeOf, retryForMs } from "./stored-snapshot.ts";
import type { Stores } from "./stores.ts";

export interface Workshop {
  readonly hub: HubClient;
  readonly identity: ProcessIdentity;
  readonly stores: Stores;
  readonly downloads: PreparedDownloads;
  readonly progress: ProgressChannel;
}

export interface RestoreJob extends ClaimedJob {
  readonly snapshot: NonNullable<ClaimedJob["snapshot"]>;
  readonly restore: NonNullable<ClaimedJob["restore"]>;
}

/**
 * Resolves when the hub has noted the download as ready. Whatever it throws, nothing of the snapshot is served, unless the hub could
 * not be reached at the very end: then the download waits, unserved, until the hub says whether it was noted.
 */
export async function prepareDownload(workshop: Workshop, job: RestoreJob, signal: AbortSignal): Promise<void> {
  const { hub, downloads } = workshop;
  const { jobId, leaseEpoch, restore } = job;
  const lease = { jobId, leaseEpoch };
  const patience = { signal, retryForMs };
  await hub.enterPhase({ ...lease, phase: "PREPARING" }, patience);
  await using draft = await downloads.begin(restore.restoreId);
  faultPoint("restore.draft-begun");
  const write = restore.form === "SEALED" ? writeSealed : writeOpened;
  const written = await write(workshop, job, draft, signal);
  faultPoint("restore.written");
  await hub.enterPhase({ ...lease, phase: "FINALIZING" }, patience);
  const { restoreId, tokenHash, fileName } = restore;
  await draft.publish({ restoreId, ...lease, tokenHash, fileName, ...written, expiresAt: null, ended: null });
  faultPoint("restore.published");
  try {
    const { expiresAt } = await hub.completeRestore({ ...lease, sizeBytes: written.size }, patience);
    faultPoint("restore.completed");
    await downloads.confirm(restoreId, new Date(expiresAt));
    faultPoint("restore.confirmed");
  } catch (error) {
    if (error instanceof HubError && !error.retryable) await downloads.forget(restoreId);
    throw error;
  }
}

async function writeOpened(
  workshop: Workshop,
  job: RestoreJob,
  draft: Draft,
  signal: AbortSignal,
): Promise<ArchiveFile> {
  const identities = await claimKeys(workshop, job, signal);
  faultPoint("restore.keys-opened");
  const artifact = await openSnapshot({ ...placeOf(workshop.stores, job), signal }, identities);
  try {
    return await writeEntries(workshop, job, { artifact, draft, signal });
  } finally {
    await artifact.close();
  }
}

/** Nothing is opened, and no key is asked for. */
async function writeSealed(
  workshop: Workshop,
  job: RestoreJob,
  draft: Draft,
  signal: AbortSignal,
): Promise<ArchiveFile> {
  const maxBytes = mostBytes(job.restore);
  const { size, bytes } = await openSealed({ ...placeOf(workshop.stores, job), signal });
  if (size > maxBytes) throw tooLarge(maxBytes);
  const { jobId, leaseEpoch } = job;
  const publish = (news: JobProgress) => workshop.progress.publish(jobId, news);
  const progress = new Progress({ leaseEpoch, publish, files: 1, bytes: size });
  const onWritten = (written: number) => progress.written(written);
  return writeArchive(draft.path, progress.tar(bytes, size), { maxBytes, signal, onWritten });
}

function mostBytes({ maxDownloadBytes }: RestoreJob["restore"]): number {
  return Number(maxDownloadBytes ?? 0) || Number.POSITIVE_INFINITY;
}

async function openSnapshot(place: ArtifactPlace, identities: string[]): Promise<OpenedArtifact> {
  try {
    return await openArtifact({ ...place, identities });
  } catch (cause) {
    throw await namingKeys(cause, identities);
  }
}

async function writeEntries(
  { progress: channel }: Workshop,
  { jobId, leaseEpoch, restore }: RestoreJob,
  { artifact, draft, signal }: { artifact: OpenedArtifact; draft: Draft; signal: AbortSignal },
): Promise<ArchiveFile> {
  const { form, restoreId, selection } = restore;
  const { manifest } = artifact;
  const maxBytes = mostBytes(restore);
  const publish = (news: JobProgress) => channel.publish(jobId, news);
  const everything = isEverything(selection);
  if (form === "TAR" && everything && manifest.artifact.plainBytes > maxBytes) throw tooLarge(maxBytes);

  const selected = everything ? null : await selectEntries(artifact, selection);
  const { files, bytes } = selected ?? { files: manifest.counts.files, bytes: manifest.plainBytes };
  const progress = new Progress({ leaseEpoch, publish, files, bytes });
  const entries = () => progress.entries(selected?.entries() ?? artifact.entries());
  const content = () => {
    if (form === "ZIP") return zip(entries(), `xvault-${restoreId}.txt`);
    return everything ? progress.tar(artifact.tar(), manifest.artifact.plainBytes) : tar(entries());
  };
  return writeArchive(draft.path, content(), { maxBytes, signal, onWritten: (written) => progress.written(written) });
}
