// Looks whether the stored bytes of a snapshot are still those that were sealed. Takes no key, and its time.
import { type ArtifactPlace, damageOf, paced, snapshotDirectory, verify } from "#artifact/node";
import { faultPoint } from "#fault-point";
import { DamageError } from "../clients/hub/damage-error.ts";
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { StoreGoneError } from "./failure.ts";
import type { Workshop } from "./workshop.ts";

/** Throws `DamageError` where they are not, or are not there. */
export async function verifySnapshot(workshop: Workshop, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const { hub, storage, progress } = workshop;
  const { jobId, leaseEpoch, tenantId, snapshot, check, leaseSeconds } = job;
  if (!snapshot || !check) throw new Error("a check without a snapshot");
  const { snapshotId, sourceId, manifestSha256 } = snapshot;
  const patience = { signal, retryForMs: leaseSeconds * 1000 };
  await hub.enterPhase({ jobId, leaseEpoch, phase: "VERIFYING" }, patience);
  const rate = Number(check.maxBytesPerSecond ?? 0);
  const place = {
    storage: rate > 0 ? paced(storage, rate) : storage,
    directory: snapshotDirectory({ tenantId, sourceId, snapshotId }),
    manifestSha256,
    signal,
  };
  try {
    await verify({
      ...place,
      onProgress: (bytesDone, bytesTotal) =>
        progress.publish(jobId, {
          ...{ leaseEpoch, phase: "VERIFYING", filesDone: 0, filesTotal: null },
          ...{ bytesDone, bytesTotal, storedBytes: bytesDone },
        }),
    });
  } catch (error) {
    throw await verdict(workshop, place, error);
  }
  faultPoint("check.passed");
  await hub.completeJob({ jobId, leaseEpoch }, patience);
}

/** A disk that is not there says nothing about what lies on it. */
async function verdict(workshop: Workshop, place: ArtifactPlace, cause: unknown): Promise<unknown> {
  const damage = await damageOf(cause, place);
  if (!damage) return cause;
  if (damage.missing && !(await workshop.ownsStore())) return new StoreGoneError({ cause });
  return new DamageError(damage.sentence, { missing: damage.missing, cause });
}
