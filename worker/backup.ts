// Makes one snapshot: connects to the source, seals what it gives, and tells the hub.
import * as z from "zod";
import { type Entry, type SealProgress, seal, snapshotDirectory, type Warning } from "#artifact/node";
import { faultPoint } from "#fault-point";
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { HubError } from "../clients/hub/hub-error.ts";
import { JobCanceledError } from "../clients/hub/keep-alive/lease.ts";
import { outliving } from "../clients/hub/outlive.ts";
import type { JobProgress } from "../clients/hub/progress-channel.ts";
import packageJson from "../package.json" with { type: "json" };
import { connectSource } from "./connect-source.ts";
import { JobLog } from "./job-log.ts";
import { limited, RateLimit } from "./rate-limit.ts";
import type { Source } from "./sources/source.ts";
import { SourceError } from "./sources/source-error.ts";
import { WarningList } from "./warning-list.ts";
import type { Workshop } from "./workshop.ts";

/** The hub keeps no more with a snapshot's row; its catalogue has all of them. */
const reportedWarnings = 1000;
const longestReportedPath = 1024;
/** For how long the hub is asked what is to become of a snapshot that came too late. */
const weighMs = 10_000;

/** Throws what went wrong; nothing of the snapshot is stored then, unless it was the report of it that came to nobody. */
export async function backUp(workshop: Workshop, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const { hub, storage, workerId, tempBase } = workshop;
  const { jobId, leaseEpoch, source, backup, tenantId } = job;
  if (!source?.sourceId || !backup) throw new Error("a backup without a source");
  const { snapshotId, recipients, maxBytes, maxBytesPerSecond } = backup;
  // As long as the lease lives, a hub that is away is waited for: all the work so far is worth it.
  const patience = { signal, retryForMs: job.leaseSeconds * 1000 };
  const enter = (phase: "CONNECTING" | "PULLING" | "FINALIZING") =>
    hub.enterPhase({ jobId, leaseEpoch, phase }, patience);

  await enter("CONNECTING");
  await using jobLog = new JobLog(({ kind, step, lines }) =>
    hub.recordLog({ jobId, leaseEpoch, kind, step, lines }, { signal }),
  );
  await using connected = await connectSource(workshop, job, { trustsNewHost: false, log: jobLog.add, signal });
  faultPoint("backup.connected");
  await enter("PULLING");
  const warnings = new WarningList();
  const entries = connected.entries(warnings.add);
  const paced =
    maxBytesPerSecond === null ? entries : limited(entries, new RateLimit(Number(maxBytesPerSecond), signal));
  const watched = await watch(paced, connected, (progress) =>
    workshop.progress.publish(jobId, { leaseEpoch, phase: "PULLING", ...progress }),
  );
  const sealed = await seal({
    entries: watched.entries,
    recipients,
    ids: { tenantId, sourceId: source.sourceId, snapshotId, jobId, workerId },
    storage,
    attempt: `${leaseEpoch}`,
    signal,
    // The hub's time, whatever this machine believes.
    createdAt: new Date((await hub.hello(patience)).serverTime),
    tools: { xvault: packageJson.version },
    sourceFacts: () => connected.facts(),
    ...(maxBytes !== null && { maxBytes: Number(maxBytes) }),
    warnings: warnings.kept,
    spoolDirectory: tempBase,
    onProgress: watched.onProgress,
    onFinalizing: async () => {
      faultPoint("backup.pulled");
      await jobLog.flush();
      if (isStrict(source.config)) refusePartial(warnings.kept);
      await enter("FINALIZING");
    },
    // A process that was stopped for a while goes on where it stood, and learns of the time that passed only when it asks.
    onCommitting: async () => {
      const { cancelRequested } = await hub.renewLease({ jobId, leaseEpoch }, patience);
      if (cancelRequested) throw new JobCanceledError("the job was canceled");
    },
  });
  const { manifest, manifestSha256, artifactSha256, plainBytes, storedBytes, fileCount, durationMs, partial } = sealed;
  // It is stored: whoever asks it to stop from here on is late.
  const report = hub.completeJob(
    {
      jobId,
      leaseEpoch,
      snapshot: {
        ...{ snapshotId, manifest, manifestSha256, artifactSha256, plainBytes, storedBytes, fileCount, partial },
        durationMs: Math.round(durationMs),
        warnings: sealed.warnings
          .slice(0, reportedWarnings)
          .map(({ code, path, message }) => ({ code, message, path: path.slice(0, longestReportedPath) })),
      },
    },
    { ...patience, signal: outliving(signal) },
  );
  await report.catch(async (error: unknown) => {
    if (!(error instanceof HubError && error.code === "LEASE_LOST")) throw error;
    const ids = { tenantId, sourceId: source.sourceId ?? "", snapshotId };
    // Where the job has not ended yet its fate is open, and the next inventory sees to it.
    const { verdict } = await hub.weighArtifact({ ...ids, jobId, workerId, atStart: false }, { retryForMs: weighMs });
    if (verdict === "REMOVE") await storage.remove(snapshotDirectory(ids));
    throw error;
  });
  faultPoint("backup.completed");
}

const strictness = z.object({ strict: z.boolean() }).catch({ strict: false });

function isStrict(config: unknown): boolean {
  return strictness.parse(config).strict;
}

/** For customers who would rather have no snapshot than one with something missing. */
function refusePartial(warnings: readonly Warning[]): void {
  const missing = warnings.filter(({ code }) => code !== "SPECIAL_SKIPPED" && code !== "HOOK_FAILED");
  const [first] = missing;
  if (!first) return;
  const others = missing.length === 1 ? "" : ` and ${missing.length - 1} more`;
  throw new SourceError(
    "PATH_NOT_FOUND",
    `“${first.path.slice(0, 200)}”${others} could not be read in full, and this source is set to be strict: exclude what cannot be read, or allow partial snapshots.`,
  );
}

type Advance = Omit<JobProgress, "leaseEpoch" | "phase">;

/** Notes what is being read on its way into the artifact, so that progress can name it. */
async function watch(entries: AsyncIterable<Entry>, source: Source, report: (progress: Advance) => void) {
  const estimate = await source.estimate();
  let currentPath = "";
  async function* noting(): AsyncGenerator<Entry> {
    for await (const entry of entries) {
      if (currentPath === "") faultPoint("backup.first-entry");
      currentPath = typeof entry.path === "string" ? entry.path : "";
      yield entry;
    }
  }
  return {
    entries: noting(),
    onProgress: ({ plainBytes, storedBytes, fileCount }: SealProgress) =>
      report({
        filesDone: fileCount,
        filesTotal: estimate?.files ?? null,
        bytesDone: plainBytes,
        bytesTotal: estimate?.bytes ?? null,
        storedBytes,
        currentPath,
      }),
  };
}
