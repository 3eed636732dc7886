// A job's way through a worker's hands: claimed, held, told about, ended.
import { type ClaimedJob as ClaimedJobFacts, claimJob, claimJobs } from "../../domain/claims.ts";
import { type Completion, completeJob, completeJobs } from "../../domain/completions.ts";
import { claimSecrets, enterPhase, failJob, recordLog, releaseJob, renewLease } from "../../domain/leases.ts";
import { builder } from "./builder.ts";
import { JobType, LeaseInput, LeasePayload, Phase, RestoreForm, SourceType, VerifyDepth } from "./types.ts";

const ClaimedSource = builder.objectRef<NonNullable<ClaimedJobFacts["source"]>>("ClaimedSource").implement({
  description: "The source that a claimed job is about.",
  fields: (t) => ({
    sourceId: t.exposeID("sourceId", { nullable: true, description: "Its id; null while it is not saved." }),
    type: t.expose("type", { type: SourceType, description: "How it is reached." }),
    config: t.expose("config", { type: "JSON", description: "Its settings, without secrets." }),
    hostKey: t.exposeString("hostKey", { nullable: true, description: "The pinned SSH host key, `SHA256:…`." }),
    jumpHostKey: t.exposeString("jumpHostKey", { nullable: true, description: "The same of its jump host." }),
    hasCredential: t.exposeBoolean("hasCredential", { description: "Whether claimSecrets has something for it." }),
  }),
});

const ClaimedBackup = builder.objectRef<NonNullable<ClaimedJobFacts["backup"]>>("ClaimedBackup").implement({
  description: "The snapshot that a backup is to make.",
  fields: (t) => ({
    snapshotId: t.exposeID("snapshotId", { description: "Its id, which belongs to this attempt alone." }),
    recipients: t.exposeStringList("recipients", { description: "age recipients to seal to." }),
    maxBytes: t.expose("maxBytes", {
      type: "ByteCount",
      nullable: true,
      description: "What the plan leaves; null: any.",
    }),
    maxBytesPerSecond: t.expose("maxBytesPerSecond", {
      type: "ByteCount",
      nullable: true,
      description: "How fast the source may be read; null: as fast as it can.",
    }),
  }),
});

const ClaimedSnapshot = builder.objectRef<NonNullable<ClaimedJobFacts["snapshot"]>>("ClaimedSnapshot").implement({
  description: "The snapshot that a claimed job is about.",
  fields: (t) => ({
    snapshotId: t.exposeID("snapshotId", { description: "Its id." }),
    sourceId: t.exposeID("sourceId", { description: "Its source." }),
    manifestSha256: t.exposeString("manifestSha256", { description: "sha256 of its manifest.json." }),
    artifactSha256: t.exposeString("artifactSha256", { description: "sha256 of its artifact." }),
    storageWorkerId: t.exposeID("storageWorkerId", { nullable: true, description: "Whose store it lies in." }),
  }),
});

const ClaimedRestore = builder.objectRef<NonNullable<ClaimedJobFacts["restore"]>>("ClaimedRestore").implement({
  description: "The download that a restore is to prepare.",
  fields: (t) => ({
    restoreId: t.exposeID("restoreId", { description: "Its id." }),
    form: t.expose("form", { type: RestoreForm, description: "Its form." }),
    selection: t.exposeStringList("selection", { description: "Paths to take; empty: all." }),
    tokenHash: t.exposeString("tokenHash", { description: "sha256 of the token in its link, in hex." }),
    maxDownloadBytes: t.expose("maxDownloadBytes", { type: "ByteCount", nullable: true, description: "Null: any." }),
    fileName: t.exposeString("fileName", { description: "What the downloaded file is called." }),
  }),
});

const ClaimedCheck = builder.objectRef<NonNullable<ClaimedJobFacts["check"]>>("ClaimedCheck").implement({
  description: "How a snapshot is to be checked.",
  fields: (t) => ({
    depth: t.expose("depth", { type: VerifyDepth, description: "How deep." }),
    rateBytes: t.expose("rateBytes", {
      type: "ByteCount",
      nullable: true,
      description: "What may be read of it in a second; null: any number.",
    }),
  }),
});

const ClaimedJob = builder.objectRef<ClaimedJobFacts>("ClaimedJob").implement({
  description: "A job and the lease that it is held under.",
  fields: (t) => ({
    jobId: t.exposeID("jobId", { description: "The job." }),
    tenantId: t.exposeID("tenantId", { description: "Whose it is." }),
    type: t.expose("type", { type: JobType, description: "What to do." }),
    leaseEpoch: t.exposeInt("leaseEpoch", { description: "The lease's epoch: every command about the job names it." }),
    leaseSeconds: t.exposeInt("leaseSeconds", { description: "How long it holds without renewal." }),
    timeLimitSeconds: t.exposeInt("timeLimitSeconds", {
      description: "How long this attempt may take; what is not over by then is taken away. From protocol 2 on.",
    }),
    attempt: t.exposeInt("attempt", { description: "Number of this attempt, from 1." }),
    source: t.expose("source", { type: ClaimedSource, nullable: true, description: "For BACKUP and TEST_SOURCE." }),
    backup: t.expose("backup", { type: ClaimedBackup, nullable: true, description: "For BACKUP." }),
    snapshot: t.expose("snapshot", {
      type: ClaimedSnapshot,
      nullable: true,
      description: "For DELETE_SNAPSHOT, RESTORE and VERIFY.",
    }),
    restore: t.expose("restore", { type: ClaimedRestore, nullable: true, description: "For RESTORE." }),
    check: t.expose("check", { type: ClaimedCheck, nullable: true, description: "For VERIFY." }),
  }),
});

const ClaimJobInput = builder.inputType("ClaimJobInput", {
  description: "What the claimer is ready for.",
  fields: (t) => ({ types: t.field({ type: [JobType], description: "Jobs that it would take now." }) }),
});

const ClaimJobsInput = builder.inputType("ClaimJobsInput", {
  description: "What the claimer is ready for.",
  fields: (t) => ({
    types: t.field({ type: [JobType], description: "Jobs that it would take now." }),
    count: t.int({ description: "How many of them at most; 100 in one call." }),
  }),
});

const ClaimSecretsPayload = builder.objectRef<{ sealed: string }>("ClaimSecretsPayload").implement({
  description: "Secrets for one job and one worker.",
  fields: (t) => ({ sealed: t.exposeString("sealed", { description: "base64 of an age file that holds JSON." }) }),
});

const RenewLeasePayload = builder
  .objectRef<{ leaseSeconds: number; cancelRequested: boolean }>("RenewLeasePayload")
  .implement({
    description: "The lease goes on.",
    fields: (t) => ({
      leaseSeconds: t.exposeInt("leaseSeconds", { description: "For how long, from now." }),
      cancelRequested: t.exposeBoolean("cancelRequested", { description: "Somebody asked to stop this job." }),
    }),
  });

const EnterPhaseInput = builder.inputType("EnterPhaseInput", {
  description: "A step forward.",
  fields: (t) => ({
    jobId: t.id({ description: "The held job." }),
    leaseEpoch: t.int({ description: "Its lease." }),
    phase: t.field({ type: Phase, description: "Where the work stands now." }),
    progress: t.field({ type: "JSON", required: false, description: "Counts so far." }),
  }),
});

const WarningInput = builder.inputType("WarningInput", {
  description: "Something a customer should know about a snapshot that was completed all the same.",
  fields: (t) => ({
    code: t.string({ description: "What kind." }),
    path: t.string({ description: "Where, in printable form." }),
    message: t.string({ description: "One sentence." }),
  }),
});

export const CompletedSnapshotInput = builder.inputType("CompletedSnapshotInput", {
  description: "The snapshot that a backup made.",
  fields: (t) => ({
    snapshotId: t.id({ description: "The id that the claim gave." }),
    manifest: t.field({ type: "JSON", description: "Its manifest.json." }),
    manifestSha256: t.string({ description: "sha256 of that file, in hex." }),
    artifactSha256: t.string({ description: "sha256 of the artifact, in hex." }),
    plainBytes: t.field({ type: "ByteCount", description: "Bytes of content." }),
    storedBytes: t.field({ type: "ByteCount", description: "Bytes stored." }),
    fileCount: t.int({ description: "Entries." }),
    durationMs: t.int({ description: "From the first byte to the commit." }),
    partial: t.boolean({ description: "Some entries could not be read." }),
    warnings: t.field({ type: [WarningInput], description: "What to know about it." }),
  }),
});

const CompleteJobInput = builder.inputType("CompleteJobInput", {
  description: "A job done.",
  fields: (t) => ({
    jobId: t.id({ description: "The held job." }),
    leaseEpoch: t.int({ description: "Its lease." }),
    snapshot: t.field({ type: CompletedSnapshotInput, required: false, description: "For BACKUP." }),
    findings: t.field({ type: "JSON", required: false, description: "For TEST_SOURCE: what was found." }),
    hostKey: t.string({ required: false, description: "For TEST_SOURCE: the host key seen, `SHA256:…`." }),
    jumpHostKey: t.string({ required: false, description: "The same of the jump host." }),
  }),
});

const CompleteJobsInput = builder.inputType("CompleteJobsInput", {
  description: "Several jobs done.",
  fields: (t) => ({
    jobs: t.field({ type: [CompleteJobInput], description: "Each under its lease; 100 in one call." }),
  }),
});

const CompletionPayload = builder.objectRef<Completion>("CompletionPayload").implement({
  description: "What became of one of several reports.",
  fields: (t) => ({
    jobId: t.exposeID("jobId", { description: "The job." }),
    leaseEpoch: t.exposeInt("leaseEpoch", { description: "The lease." }),
    lost: t.exposeBoolean("lost", { description: "The lease was over: nothing of this one was written down." }),
  }),
});

const RecordLogInput = builder.inputType("RecordLogInput", {
  description: "Lines for the job's log.",
  fields: (t) => ({
    jobId: t.id({ description: "The held job." }),
    leaseEpoch: t.int({ description: "Its lease." }),
    kind: t.string({ description: "What speaks, such as `hook`." }),
    step: t.string({ description: "When, such as `before`." }),
    lines: t.stringList({ description: "What it said." }),
  }),
});

const FailJobInput = builder.inputType("FailJobInput", {
  description: "An attempt that failed.",
  fields: (t) => ({
    jobId: t.id({ description: "The held job." }),
    leaseEpoch: t.int({ description: "Its lease." }),
    code: t.string({ description: "A code of the closed list; the hub decides whether to try again." }),
    message: t.string({ description: "One sentence that a customer can act on." }),
    missing: t.boolean({
      required: false,
      description: "For VERIFY that failed with ARTIFACT_CORRUPT: nothing of the snapshot is stored.",
    }),
  }),
});

builder.mutationFields((t) => ({
  claimJob: t.field({
    type: ClaimedJob,
    nullable: true,
    description: "Takes the next fitting job under a new lease; null where nothing is due.",
    args: { input: t.arg({ type: ClaimJobInput, description: "What to look for." }) },
    resolve: (_, { input }, { hub, worker }) => claimJob(hub, worker, input),
  }),
  claimJobs: t.field({
    type: [ClaimedJob],
    description: "Takes the next fitting jobs, each under a new lease; none where nothing is due.",
    args: { input: t.arg({ type: ClaimJobsInput, description: "What to look for." }) },
    resolve: (_, { input }, { hub, worker }) => claimJobs(hub, worker, input),
  }),
  claimSecrets: t.field({
    type: ClaimSecretsPayload,
    description: "The secrets of the held job, sealed to the key given at registration.",
    args: { input: t.arg({ type: LeaseInput, description: "The lease." }) },
    resolve: (_, { input }, { hub, worker }) => claimSecrets(hub, worker, input),
  }),
  renewLease: t.field({
    type: RenewLeasePayload,
    description: "Holds the job for another term.",
    args: { input: t.arg({ type: LeaseInput, description: "The lease." }) },
    resolve: (_, { input }, { hub, worker }) => renewLease(hub, worker, input),
  }),
  enterPhase: t.field({
    type: LeasePayload,
    description: "Notes where the work stands.",
    args: { input: t.arg({ type: EnterPhaseInput, description: "The step." }) },
    resolve: (_, { input }, { hub, worker }) => enterPhase(hub, worker, input),
  }),
  recordLog: t.field({
    type: LeasePayload,
    description: "Notes what a customer's own command said.",
    args: { input: t.arg({ type: RecordLogInput, description: "The lines." }) },
    resolve: (_, { input }, { hub, worker }) => recordLog(hub, worker, input),
  }),
  completeJob: t.field({
    type: LeasePayload,
    description: "Ends the job and records what it made, in one transaction.",
    args: { input: t.arg({ type: CompleteJobInput, description: "The outcome." }) },
    resolve: (_, { input }, { hub, worker }) => completeJob(hub, worker, input),
  }),
  completeJobs: t.field({
    type: [CompletionPayload],
    description: "The same for several jobs, in one transaction; a lease that is over is told of its own job alone.",
    args: { input: t.arg({ type: CompleteJobsInput, description: "The outcomes." }) },
    resolve: (_, { input }, { hub, worker }) => completeJobs(hub, worker, input.jobs),
  }),
  failJob: t.field({
    type: LeasePayload,
    description: "Ends an attempt that failed.",
    args: { input: t.arg({ type: FailJobInput, description: "How." }) },
    resolve: (_, { input }, { hub, worker }) => failJob(hub, worker, input),
  }),
  releaseJob: t.field({
    type: LeasePayload,
    description: "Gives the job back unfinished (drain): the next attempt may start at once.",
    args: { input: t.arg({ type: LeaseInput, description: "The lease." }) },
    resolve: (_, { input }, { hub, worker }) => releaseJob(hub, worker, input),
  }),
}));
