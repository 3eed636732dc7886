// What was and is being done.
import { isAuthorized } from "../../domain/actor.ts";
import {
  BackupAlreadyRunningError,
  JobEndedError,
  JobNotRetryableError,
  NotFoundError,
  QuotaExceededError,
  RateLimitedError,
  SnapshotDeletedError,
  SnapshotInUseError,
  SourceDisabledError,
  SourceNotTestedError,
  TenantSuspendedError,
} from "../../domain/errors.ts";
import {
  canceledVerb,
  cancelJob,
  findJob,
  nameWorkers,
  retriedVerb,
  retryJob,
  retryRefusal,
  startBackup,
} from "../../domain/jobs.ts";
import type { FailureCode } from "../../domain/rules/failures.ts";
import { isEnded } from "../../domain/rules/job-states.ts";
import { findWaits, type Wait, waitSentence } from "../../domain/waiting.ts";
import { JobStatus as statuses, JobType as types } from "../../prisma/client/client.ts";
import { gathered } from "./batch.ts";
import { builder } from "./builder.ts";
import { byAge, listing, onlyOrder, ordersOf, relatedList } from "./listing.ts";
import { Node } from "./node.ts";
import { VerifyDepth } from "./verify-depth.ts";

const JobType = builder.enumType("JobType", {
  description: "What a job does.",
  values: {
    BACKUP: { value: types.BACKUP, description: "Makes a snapshot of a source." },
    RESTORE: { value: types.RESTORE, description: "Prepares a download of a snapshot." },
    DELETE_SNAPSHOT: { value: types.DELETE_SNAPSHOT, description: "Removes a snapshot's bytes." },
    VERIFY: { value: types.VERIFY, description: "Checks whether a snapshot is whole." },
    TEST_SOURCE: { value: types.TEST_SOURCE, description: "Connects to a source and looks." },
  },
});

const JobStatus = builder.enumType("JobStatus", {
  description: "Where a job stands. States move forward; only an attempt that broke off goes back to QUEUED.",
  values: {
    QUEUED: { value: statuses.QUEUED, description: "Waits for a worker." },
    RUNNING: { value: statuses.RUNNING, description: "A worker is on it." },
    FINALIZING: { value: statuses.FINALIZING, description: "All is read; the artifact is being made durable." },
    COMPLETED: { value: statuses.COMPLETED, description: "Done." },
    FAILED: { value: statuses.FAILED, description: "Given up: `errorCode` and `errorMessage` say why." },
    CANCELED: { value: statuses.CANCELED, description: "Stopped on request." },
  },
});

export const JobEvent = builder.prismaObject("JobEvent", {
  select: {},
  description: "A line in the log of a job.",
  fields: (t) => ({
    seq: t.exposeInt("seq", { description: "Its place in the log, from 1." }),
    kind: t.exposeString("kind", { description: "`state`, `phase`, or what else happened." }),
    facts: t.expose("facts", { type: "JSON", description: "What there is to say about it." }),
    at: t.expose("at", { type: "DateTime", description: "When." }),
  }),
});

const JobEventConnection = builder.connectionObject(
  {
    type: JobEvent,
    name: "JobEventConnection",
    description: "A page of a job's log: 20 lines by default, 100 at most.",
  },
  { name: "JobEventEdge", description: "A line on its page." },
);

const jobEventList = listing({ model: "JobEvent", connection: JobEventConnection, orders: onlyOrder(["seq", "asc"]) });

const workerName = gathered<string, string>(({ hub }, ids) => nameWorkers(hub, ids));

const waitOf = gathered<string, Wait>(({ hub }, ids) => findWaits(hub, ids));

const JobWait = builder.objectRef<Wait>("JobWait").implement({
  description: "What a queued job waits for that does not come by itself.",
  fields: (t) => ({
    code: t.string({
      description: "Why it waits: `WORKER_OFFLINE`, a code of the closed list. The job does not fail of it.",
      resolve: () => "WORKER_OFFLINE" satisfies FailureCode,
    }),
    message: t.string({ description: "In one sentence.", resolve: (wait) => waitSentence(wait) }),
    workerName: t.exposeString("workerName", {
      nullable: true,
      description: "What the worker is called that it waits for; null: none that could do it has ever joined.",
    }),
    lastSeenAt: t.expose("since", {
      type: "DateTime",
      nullable: true,
      description: "When that worker was last heard: since then it is offline, unless it only takes no jobs.",
    }),
  }),
});

export const Job = builder.prismaObject("Job", {
  select: { id: true, tenantId: true },
  description: "A unit of work.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`job_…`" }),
    type: t.expose("type", { type: JobType, description: "What it does." }),
    status: t.expose("status", { type: JobStatus, description: "Where it stands." }),
    attempt: t.exposeInt("attempt", { description: "Attempts begun." }),
    maxAttempts: t.exposeInt("maxAttempts", { description: "Attempts it gets." }),
    errorCode: t.exposeString("errorCode", {
      nullable: true,
      description: "Why it failed: a code of the closed list.",
    }),
    errorMessage: t.exposeString("errorMessage", {
      nullable: true,
      description: "Why it failed, and what to do, in one sentence.",
    }),
    warningCount: t.exposeInt("warningCount", { description: "Warnings of the snapshot it made." }),
    findings: t.expose("findings", { type: "JSON", nullable: true, description: "What a source test found." }),
    cancelRequestedAt: t.expose("cancelRequestedAt", {
      type: "DateTime",
      nullable: true,
      description: "When somebody asked to stop it.",
    }),
    source: t.relation("source", { nullable: true, description: "The source it is about." }),
    schedule: t.relation("schedule", { nullable: true, description: "The schedule that asked for it." }),
    targetSnapshot: t.relation("targetSnapshot", {
      nullable: true,
      description: "The snapshot that a restore, a deletion or a check is about.",
    }),
    verifyDepth: t.expose("verifyDepth", {
      type: VerifyDepth,
      nullable: true,
      description: "How deep a check looks; null for every other type.",
    }),
    workerName: t.string({
      nullable: true,
      description: "What the worker is called that has it, or had it last.",
      select: { workerId: true },
      resolve: async ({ workerId }, _, context) => (workerId ? ((await workerName(context, workerId)) ?? null) : null),
    }),
    waitingFor: t.field({
      type: JobWait,
      nullable: true,
      description:
        "What a queued job that is due waits for, where no worker that could do it is online; null where one is, or it is not queued.",
      select: { id: true, status: true },
      resolve: async ({ id, status }, _, context) =>
        status === "QUEUED" ? ((await waitOf(context, id)) ?? null) : null,
    }),
    priority: t.exposeInt("priority", { description: "Higher goes first." }),
    progress: t.expose("progress", {
      type: "JSON",
      nullable: true,
      description: "Where its work stood at the last step; `jobProgressed` has it live.",
    }),
    dueAt: t.field({
      type: "DateTime",
      description: "Not begun before: later than it was asked for where a deletion can still be taken back.",
      select: { notBefore: true },
      resolve: ({ notBefore }) => notBefore,
    }),
    nextAttemptAt: t.field({
      type: "DateTime",
      nullable: true,
      description:
        "When it is tried again, at the earliest: of a queued job whose last attempt broke off; null for every other.",
      select: { status: true, attempt: true, notBefore: true },
      resolve: ({ status, attempt, notBefore }) => (status === "QUEUED" && attempt > 0 ? notBefore : null),
    }),
    viewerCanCancel: t.boolean({
      description: "Whether it can be stopped, by whoever asks.",
      select: { tenantId: true, type: true, status: true, cancelRequestedAt: true },
      resolve: (job, _, { actor }) =>
        !isEnded(job.status) && !job.cancelRequestedAt && isAuthorized(actor(), job.tenantId, canceledVerb(job)),
    }),
    viewerCanRetry: t.boolean({
      description: "Whether it can be tried again, by whoever asks.",
      select: { tenantId: true, type: true, status: true, sourceDraft: true },
      resolve: (job, _, { actor }) =>
        retryRefusal(job) === null && isAuthorized(actor(), job.tenantId, retriedVerb(job)),
    }),
    snapshot: t.relation("snapshot", { nullable: true, description: "The snapshot that a backup made." }),
    restore: t.relation("restore", { nullable: true, description: "The restore that it prepares." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was asked for." }),
    startedAt: t.expose("startedAt", { type: "DateTime", nullable: true, description: "When a worker first took it." }),
    endedAt: t.expose("endedAt", { type: "DateTime", nullable: true, description: "When it ended." }),
    events: relatedList(t, "events", jobEventList, { description: "Its log, oldest first." }),
  }),
});

const JobConnection = builder.connectionObject(
  { type: Job, name: "JobConnection", description: "A page of jobs: 20 by default, 100 at most." },
  { name: "JobEdge", description: "A job on its page." },
);

const JobFilterInput = builder.inputType("JobFilterInput", {
  description: "Which jobs: those that everything said here is true of.",
  fields: (t) => ({
    types: t.field({ type: [JobType], description: "Of one of these types." }),
    statuses: t.field({ type: [JobStatus], description: "In one of these states." }),
    sourceId: t.id({ description: "About this source." }),
    createdAfter: t.field({ type: "DateTime", description: "Asked for then or later." }),
    createdBefore: t.field({ type: "DateTime", description: "Asked for earlier than that." }),
  }),
});

export const jobList = listing({
  model: "Job",
  connection: JobConnection,
  filter: JobFilterInput,
  orders: ordersOf("Job", byAge),
  where: ({ types: ofTypes, statuses: inStates, sourceId, createdAfter, createdBefore }) => ({
    ...(ofTypes && { type: { in: ofTypes } }),
    ...(inStates && { status: { in: inStates } }),
    ...(sourceId && { sourceId }),
    ...((createdAfter || createdBefore) && {
      createdAt: { ...(createdAfter && { gte: createdAfter }), ...(createdBefore && { lt: createdBefore }) },
    }),
  }),
});

builder.queryField("job", (t) =>
  t.prismaField({
    type: Job,
    nullable: true,
    description: "A job by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`job_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findJob(hub, actor(), id, query),
  }),
);

builder.relayMutationField(
  "startBackup",
  {
    description: "A source to back up now.",
    inputFields: (t) => ({ sourceId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "Starts a backup. A source has at most one under way.",
    errors: {
      types: [
        NotFoundError,
        BackupAlreadyRunningError,
        SourceDisabledError,
        SourceNotTestedError,
        TenantSuspendedError,
        QuotaExceededError,
      ],
    },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await startBackup(hub, actor(), input) }),
  },
  {
    description: "The backup under way.",
    outputFields: (t) => ({ job: t.expose("job", { type: Job, description: "Watch it with `jobProgressed`." }) }),
  },
);

builder.relayMutationField(
  "cancelJob",
  {
    description: "A job to stop.",
    inputFields: (t) => ({ jobId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Cancels a queued job at once and asks the worker of a running one to stop, which takes seconds. The deletion of a snapshot cannot be stopped once its worker has begun with it.",
    errors: { types: [NotFoundError, JobEndedError, SnapshotDeletedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await cancelJob(hub, actor(), input) }),
  },
  {
    description: "The job that was asked to stop.",
    outputFields: (t) => ({ job: t.expose("job", { type: Job, description: "It." }) }),
  },
);

builder.relayMutationField(
  "retryJob",
  {
    description: "A job to try again.",
    inputFields: (t) => ({ jobId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Does again, as a new job, what failed or was canceled. A deletion has its grace once more; a restore is begun anew with `startRestore`.",
    errors: {
      types: [
        NotFoundError,
        JobNotRetryableError,
        BackupAlreadyRunningError,
        SourceDisabledError,
        SourceNotTestedError,
        SnapshotInUseError,
        RateLimitedError,
        QuotaExceededError,
        TenantSuspendedError,
      ],
    },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await retryJob(hub, actor(), input) }),
  },
  {
    description: "The job that does it again.",
    outputFields: (t) => ({ job: t.expose("job", { type: Job, description: "The new one." }) }),
  },
);
