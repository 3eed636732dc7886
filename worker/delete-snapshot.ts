// Removes the bytes of a snapshot, and says so only when they are gone. May run twice.
import { snapshotDirectory } from "#artifact/node";
import { faultPoint } from "#fault-point";
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { outliving } from "../clients/hub/outlive.ts";
import type { Workshop } from "./workshop.ts";

export async function deleteSnapshot({ hub, storage }: Workshop, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const { jobId, leaseEpoch, tenantId, snapshot, leaseSeconds } = job;
  if (!snapshot) throw new Error("a deletion without a snapshot");
  const patience = { signal, retryForMs: leaseSeconds * 1000 };
  await hub.enterPhase({ jobId, leaseEpoch, phase: "DELETING" }, patience);
  faultPoint("deletion.begun");
  const { sourceId, snapshotId } = snapshot;
  await storage.remove(snapshotDirectory({ tenantId, sourceId, snapshotId }));
  faultPoint("deletion.removed");
  await hub.completeJob({ jobId, leaseEpoch }, { ...patience, signal: outliving(signal) });
  faultPoint("deletion.completed");
}
