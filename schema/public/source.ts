// The places that are backed up.

import { queryFromInfo } from "@pothos/plugin-prisma";
import { isAuthorized } from "../../domain/actor.ts";
import {
  BackupAlreadyRunningError,
  HostNotAllowedError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
  RateLimitedError,
  SnapshotInUseError,
  SourceHasSnapshotsError,
  TenantSuspendedError,
} from "../../domain/errors.ts";
import { lastSnapshots, nextRunsOf } from "../../domain/source-facts.ts";
import { deleteSource, disableSource, enableSource } from "../../domain/source-states.ts";
import { testSource, testSourceDraft } from "../../domain/source-tests.ts";
import { acceptHostKey, createSource, findSource, updateSource } from "../../domain/sources.ts";
import { SourceStatus as statuses, SourceType as types } from "../../prisma/client/client.ts";
import { batched } from "./batch.ts";
import { builder } from "./builder.ts";
import { Credential } from "./credential.ts";
import { Job, jobList } from "./job.ts";
import { byAge, byName, containing, listing, ordersOf, relatedList } from "./listing.ts";
import { Node } from "./node.ts";
import { Schedule, scheduleList } from "./schedule.ts";
import { Snapshot, snapshotList } from "./snapshot.ts";

const SourceType = builder.enumType("SourceType", {
  description: "How a source is reached.",
  values: {
    SSH: { value: types.SSH, description: "A server with SSH, read through its own tar." },
    SFTP: { value: types.SFTP, description: "A server with SFTP." },
    FTP: { value: types.FTP, description: "A server with FTP or FTPS." },
    MYSQL: { value: types.MYSQL, description: "A MySQL or MariaDB server." },
    POSTGRES: { value: types.POSTGRES, description: "A PostgreSQL server." },
    WORDPRESS: { value: types.WORDPRESS, description: "A WordPress site over SSH: files and database." },
  },
});

const SourceStatus = builder.enumType("SourceStatus", {
  description: "Whether a source is backed up.",
  values: {
    ACTIVE: { value: statuses.ACTIVE, description: "Yes." },
    DISABLED: { value: statuses.DISABLED, description: "Not until it is enabled again." },
  },
});

const configHelp = `Its settings, by type; what is in brackets may be left out.
Files, all of them: \`[include]\`, \`[exclude]\` (patterns as in a .gitignore), \`[maxEntries]\`, \`[maxBytes]\`, \`[strict]\` (whatever cannot be read in full fails the backup).
SFTP, WORDPRESS: \`{ host, [port = 22], username, path, [jump: { host, [port], username }] }\`.
SSH: the same, and \`[hooks: { [before: { command, [timeoutSeconds] }], [after], [onFailure: "fail" | "warn"] }]\`.
FTP: \`{ host, [port = 21], username, path, [tls: "required" | "off"], [certificate: { [authority], [fingerprint] }] }\`.
POSTGRES, MYSQL: \`{ host, [port], username, [databases], [includeTables], [excludeTables], [tls: "required" | "verified" | "off"], [authority], [ssh: { host, [port], username, [jump], [dump: "far" | "near"] }] }\`; POSTGRES also \`[globals]\`, MYSQL also \`[socket]\`.`;

const Source = builder.prismaObject("Source", {
  select: { id: true, tenantId: true },
  description: "A place that is backed up.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`src_…`" }),
    type: t.expose("type", { type: SourceType, description: "How it is reached." }),
    name: t.exposeString("name", { description: "What it is called." }),
    config: t.expose("config", { type: "JSON", description: "Its settings; they hold no secret." }),
    credential: t.relation("credential", { type: Credential, nullable: true, description: "What opens it." }),
    hostKey: t.exposeString("hostKey", {
      nullable: true,
      description: "The pinned SSH host key, `SHA256:…`; null before the first test.",
    }),
    jumpHostKey: t.exposeString("jumpHostKey", {
      nullable: true,
      description: "The pinned key of the jump host in front of it, `SHA256:…`.",
    }),
    status: t.expose("status", { type: SourceStatus, description: "Whether it is backed up." }),
    maxBytesPerSecond: t.expose("maxBytesPerSecond", {
      type: "ByteCount",
      nullable: true,
      description: "Its backups read no faster than this; null: as fast as they can.",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", description: "When it was last changed." }),
    deletedAt: t.expose("deletedAt", {
      type: "DateTime",
      nullable: true,
      description: "When it was given up. From then on it is found through its jobs and snapshots alone.",
    }),
    lastSnapshot: t.field({
      type: Snapshot,
      nullable: true,
      description: "The newest snapshot that can be restored; null before the first one.",
      complexity: { field: 2, multiplier: 1 },
      resolve: ({ id }, _, context, info) => {
        const query = queryFromInfo({ context, info, typeName: "Snapshot" });
        return batched(id, context, info, (ids) => lastSnapshots(context.hub, ids, query)).then(
          (found) => found ?? null,
        );
      },
    }),
    nextRunAt: t.field({
      type: "DateTime",
      nullable: true,
      description: "When a schedule makes it due next; null where none does.",
      resolve: ({ id }, _, context, info) =>
        batched(id, context, info, (ids) => nextRunsOf(context.hub, ids)).then((found) => found ?? null),
    }),
    viewerCanUpdate: t.boolean({
      description: "Whether you may change, disable and enable it.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "updateSource"),
    }),
    viewerCanDelete: t.boolean({
      description: "Whether you may give it up.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "deleteSource"),
    }),
    viewerCanBackUp: t.boolean({
      description: "Whether you may start a backup of it.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "startBackup"),
    }),
    viewerCanTest: t.boolean({
      description: "Whether you may test it.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "testSource"),
    }),
    schedules: relatedList(t, "schedules", scheduleList, { description: "When it is due, newest first." }),
    jobs: relatedList(t, "jobs", jobList, { description: "Its jobs, newest first." }),
    snapshots: relatedList(t, "snapshots", snapshotList, { description: "Its snapshots, newest first." }),
  }),
});

const SourceConnection = builder.connectionObject(
  { type: Source, name: "SourceConnection", description: "A page of sources: 20 by default, 100 at most." },
  { name: "SourceEdge", description: "A source on its page." },
);

const SourceFilterInput = builder.inputType("SourceFilterInput", {
  description: "Which sources: those that everything said here is true of.",
  fields: (t) => ({
    types: t.field({ type: [SourceType], description: "Reached in one of these ways." }),
    statuses: t.field({ type: [SourceStatus], description: "In one of these states." }),
    nameContains: t.string({ description: "With this in its name, in capital letters or small ones." }),
    credentialId: t.id({ description: "Opened by this credential." }),
  }),
});

export const sourceList = listing({
  model: "Source",
  connection: SourceConnection,
  filter: SourceFilterInput,
  orders: ordersOf("Source", { ...byAge, ...byName }),
  where: ({ types, statuses, nameContains, credentialId }) => ({
    deletedAt: null,
    ...(types && { type: { in: types } }),
    ...(statuses && { status: { in: statuses } }),
    ...(nameContains && { name: containing(nameContains) }),
    ...(credentialId && { credentialId }),
  }),
});

builder.prismaObjectField(Credential, "usedBy", (t) =>
  relatedList(t, "sources", sourceList, { description: "The sources that it opens, newest first." }),
);

builder.prismaObjectField(Schedule, "source", (t) =>
  t.relation("source", { type: Source, description: "What is due." }),
);

builder.queryField("source", (t) =>
  t.prismaField({
    type: Source,
    nullable: true,
    description: "A source by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`src_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findSource(hub, actor(), id, query),
  }),
);

builder.relayMutationField(
  "createSource",
  {
    description: "A new source.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Whose it is." }),
      type: t.field({ type: SourceType, required: true, description: "How it is reached." }),
      name: t.string({ required: true, description: "What it is called." }),
      config: t.field({
        type: "JSON",
        required: true,
        description: configHelp,
      }),
      credentialId: t.id({ description: "What opens it." }),
      hostKey: t.string({ description: "The host key that a test showed and that you accept, `SHA256:…`." }),
      jumpHostKey: t.string({ description: "The same of the jump host." }),
      maxBytesPerSecond: t.field({
        type: "ByteCount",
        description: "Most bytes a second that its backups read, 65536 or more; without it, as fast as they can.",
      }),
    }),
  },
  {
    description: "Makes a source. Test it next: its host keys are pinned then, unless they are given here.",
    errors: {
      types: [NotFoundError, InvalidInputError, HostNotAllowedError, QuotaExceededError, TenantSuspendedError],
    },
    resolve: async (_, { input }, { hub, actor }) => ({ source: await createSource(hub, actor(), input) }),
  },
  {
    description: "The source that was made.",
    outputFields: (t) => ({ source: t.expose("source", { type: Source, description: "It." }) }),
  },
);

builder.relayMutationField(
  "updateSource",
  {
    description: "Changes to a source; what is left out stays.",
    inputFields: (t) => ({
      sourceId: t.id({ required: true, description: "Which." }),
      name: t.string({ description: "What it is called from now on." }),
      config: t.field({
        type: "JSON",
        description: "Its settings, as a whole. Another host or port asks for a new test.",
      }),
      credentialId: t.id({ description: "What opens it." }),
      maxBytesPerSecond: t.field({
        type: "ByteCount",
        description: "Most bytes a second that its backups read from the next one on, 65536 or more; null lifts it.",
      }),
    }),
  },
  {
    description: "Changes a source.",
    errors: { types: [NotFoundError, InvalidInputError, HostNotAllowedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ source: await updateSource(hub, actor(), input) }),
  },
  {
    description: "The source that was changed.",
    outputFields: (t) => ({ source: t.expose("source", { type: Source, description: "It." }) }),
  },
);

builder.relayMutationField(
  "testSource",
  {
    description: "A source to test.",
    inputFields: (t) => ({ sourceId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Starts a test: connects, looks, and pins the host keys where none are pinned yet. Watch the job for the outcome.",
    errors: { types: [NotFoundError, TenantSuspendedError, RateLimitedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await testSource(hub, actor(), input) }),
  },
  {
    description: "The test under way.",
    outputFields: (t) => ({ job: t.expose("job", { type: Job, description: "Its `findings` say what was found." }) }),
  },
);

builder.relayMutationField(
  "testSourceDraft",
  {
    description: "Settings to test before a source is made of them.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Whose it would be." }),
      type: t.field({ type: SourceType, required: true, description: "How it is reached." }),
      config: t.field({ type: "JSON", required: true, description: "Its settings, as createSource takes them." }),
      credentialId: t.id({ description: "What opens it." }),
    }),
  },
  {
    description:
      "Starts a test of settings: connects and looks. Nothing is pinned; the host keys found are for createSource, if you accept them.",
    errors: { types: [NotFoundError, InvalidInputError, HostNotAllowedError, TenantSuspendedError, RateLimitedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await testSourceDraft(hub, actor(), input) }),
  },
  {
    description: "The test under way.",
    outputFields: (t) => ({ job: t.expose("job", { type: Job, description: "Its `findings` say what was found." }) }),
  },
);

builder.relayMutationField(
  "acceptHostKey",
  {
    description: "A source whose host key changed with good reason.",
    inputFields: (t) => ({ sourceId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "Forgets the pinned host keys; the next test pins those that the hosts show then.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ source: await acceptHostKey(hub, actor(), input) }),
  },
  {
    description: "The source without a pinned key.",
    outputFields: (t) => ({ source: t.expose("source", { type: Source, description: "It." }) }),
  },
);

for (const [verb, act, description, changed] of [
  ["disableSource", disableSource, "Makes no more backups of a source until it is enabled again.", "is disabled"],
  ["enableSource", enableSource, "Makes backups of a source again.", "is enabled"],
] as const)
  builder.relayMutationField(
    verb,
    {
      description: "A source, and whether it is backed up.",
      inputFields: (t) => ({ sourceId: t.id({ required: true, description: "Which." }) }),
    },
    {
      description,
      errors: { types: [NotFoundError] },
      resolve: async (_, { input }, { hub, actor }) => ({ source: await act(hub, actor(), input) }),
    },
    {
      description: `The source that ${changed}.`,
      outputFields: (t) => ({ source: t.expose("source", { type: Source, description: "It." }) }),
    },
  );

builder.relayMutationField(
  "deleteSource",
  {
    description: "A source that is to be backed up no more.",
    inputFields: (t) => ({
      sourceId: t.id({ required: true, description: "Which." }),
      deleteSnapshots: t.boolean({
        defaultValue: false,
        description: "Whether its snapshots go as well, as deleteSnapshot deletes them.",
      }),
    }),
  },
  {
    description:
      "Gives a source up for good, with its schedules. It leaves every list; its jobs and snapshots still say what it was.",
    errors: { types: [NotFoundError, BackupAlreadyRunningError, SourceHasSnapshotsError, SnapshotInUseError] },
    resolve: async (_, { input }, { hub, actor }) => ({ source: await deleteSource(hub, actor(), input) }),
  },
  {
    description: "The source that was given up.",
    outputFields: (t) => ({ source: t.expose("source", { type: Source, description: "It, for the last time." }) }),
  },
);
