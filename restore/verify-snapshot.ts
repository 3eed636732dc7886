// Opens a snapshot for real, as a restore would, and writes nothing: every entry is compared with the catalogue and let go.
import { type ArtifactPlace, damageOf, paced, verify } from "#artifact/node";
import { faultPoint } from "#fault-point";
import { DamageError } from "../clients/hub/damage-error.ts";
import type { ClaimedJob, HubClient } from "../clients/hub/hub-client.ts";
import type { ProcessIdentity } from "../clients/hub/identity.ts";
import type { ProgressChannel } from "../clients/hub/progress-channel.ts";
import { claimKeys, namingKeys, placeOf, retryForMs } from "./stored-snapshot.ts";
import type { Stores } from "./stores.ts";

export interface Checking {
  readonly hub: HubClient;
  readonly identity: ProcessIdentity;
  readonly stores: Stores;
  readonly progress: ProgressChannel;
}

export interface CheckJob extends ClaimedJob {
  readonly snapshot: NonNullable<ClaimedJob["snapshot"]>;
  readonly check: NonNullable<ClaimedJob["check"]>;
}

/** Throws `DamageError` where the snapshot is not what was sealed, or is not there. */
export async function verifySnapshot(checking: Checking, job: CheckJob, signal: AbortSignal): Promise<void> {
  const { hub, stores, progress } = checking;
  const { jobId, leaseEpoch, check } = job;
  const patience = { signal, retryForMs };
  await hub.enterPhase({ jobId, leaseEpoch, phase: "VERIFYING" }, patience);
  const identities = await claimKeys(checking, job, signal);
  const { storage, ...found } = placeOf(stores, job);
  const rate = Number(check.maxBytesPerSecond ?? 0);
  const place = { ...found, storage: rate > 0 ? paced(storage, rate) : storage, signal };
  try {
    await verify({
      ...place,
      identities,
      onProgress: (bytesDone, bytesTotal) =>
        progress.publish(jobId, {
          ...{ leaseEpoch, phase: "VERIFYING", filesDone: 0, filesTotal: null },
          ...{ bytesDone, bytesTotal, storedBytes: 0 },
        }),
    });
  } catch (error) {
    throw await namingKeys(await verdict(checking, { job, place, cause: error }), identities);
  }
  faultPoint("check.passed");
  await hub.completeJob({ jobId, leaseEpoch }, patience);
}

/** A store that is not there says nothing about what lies in it. */
async function verdict(
  { stores }: Checking,
  { job, place, cause }: { job: CheckJob; place: ArtifactPlace; cause: unknown },
): Promise<unknown> {
  const damage = await damageOf(cause, place);
  if (!damage) return cause;
  if (damage.missing) {
    await stores.look();
    placeOf(stores, job);
  }
  return new DamageError(damage.sentence, { missing: damage.missing, cause });
}
