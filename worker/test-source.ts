// Connects to a source and looks, without storing anything. The one job that may trust a host key it has not seen before.
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { connectSource } from "./connect-source.ts";
import type { Workshop } from "./workshop.ts";

export async function testSource(workshop: Workshop, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const { hub } = workshop;
  const { jobId, leaseEpoch, leaseSeconds } = job;
  const patience = { signal, retryForMs: leaseSeconds * 1000 };
  await hub.enterPhase({ jobId, leaseEpoch, phase: "CONNECTING" }, patience);
  await using source = await connectSource(workshop, job, { trustsNewHost: true, log: () => undefined, signal });
  const { hostKey, jumpHostKey, ...found } = await source.identify();
  const estimate = await source.estimate();
  // A path that cannot be read has ended the job already, and its host key is not pinned then.
  const findings = { hostKey, jumpHostKey, ...found, estimate, pathReadable: true };
  await hub.completeJob({ jobId, leaseEpoch, findings, hostKey, jumpHostKey }, patience);
}
