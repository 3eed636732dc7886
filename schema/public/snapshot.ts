// Committed artifacts: what is kept.
import { isAuthorized } from "../../domain/actor.ts";
import { InvalidInputError, NotFoundError, SnapshotDeletedError, SnapshotInUseError } from "../../domain/errors.ts";
import { findHeldFingerprints } from "../../domain/keys.ts";
import { findKeepReasons } from "../../domain/retention.ts";
import {
  deleteSnapshot,
  findSealedTo,
  findSnapshot,
  isGone,
  pinSnapshot,
  undeleteSnapshot,
  unpinSnapshot,
} from "../../domain/snapshots.ts";
import { StorageBackend as backends, SnapshotStatus as statuses } from "../../prisma/client/client.ts";
import { gathered } from "./batch.ts";
import { builder } from "./builder.ts";
import { Job } from "./job.ts";
import { KeepReason } from "./keep-reason.ts";
import { byAge, listing, ordersOf } from "./listing.ts";
import { Node } from "./node.ts";
import { VerifyDepth } from "./verify-depth.ts";

const SnapshotStatus = builder.enumType("SnapshotStatus", {
  description: "What can be expected of a snapshot.",
  values: {
    COMPLETED: { value: statuses.COMPLETED, description: "Whole, checked after it was written, restorable." },
    FAILED: { value: statuses.FAILED, description: "Never became whole." },
    DELETING: { value: statuses.DELETING, description: "Its bytes are being removed." },
    DELETED: { value: statuses.DELETED, description: "Its bytes are gone." },
    MISSING: {
      value: statuses.MISSING,
      description: "Its bytes were not found where they should lie: it is not restored from.",
    },
    CORRUPT: { value: statuses.CORRUPT, description: "It is not what was written: it is not restored from." },
  },
});

const StorageBackend = builder.enumType("StorageBackend", {
  description: "Where the bytes of a snapshot lie.",
  values: {
    LOCAL_FS: { value: backends.LOCAL_FS, description: "On the disk of one worker: a single copy." },
    S3: { value: backends.S3, description: "In an object storage." },
  },
});

const SnapshotDurability = builder.enumType("SnapshotDurability", {
  description: "What it takes to lose a snapshot.",
  values: {
    SINGLE_COPY: { description: "One disk: there is a single copy, on one worker." },
    OBJECT_STORAGE: { description: "As much as the object storage takes that it lies in." },
  },
});

const SnapshotWarning = builder
  .objectRef<{ code: string; path: string; message: string }>("SnapshotWarning")
  .implement({
    description: "Something to know about a snapshot that was completed all the same.",
    fields: (t) => ({
      code: t.exposeString("code", { description: "What kind, such as UNREADABLE." }),
      path: t.exposeString("path", { description: "Where, in printable form." }),
      message: t.exposeString("message", { description: "One sentence." }),
    }),
  });

const reasonsOfSource = gathered<string, Awaited<ReturnType<typeof findKeepReasons>>>(async ({ hub }, sourceIds) => {
  const reasons = await findKeepReasons(hub, sourceIds);
  return new Map(sourceIds.map((id) => [id, reasons]));
});
const sealedTo = gathered<string, string[]>(({ hub }, ids) => findSealedTo(hub, ids));
const heldFingerprints = gathered<string, ReadonlySet<string>>(async ({ hub }, tenantIds) => {
  const held = await findHeldFingerprints(hub, tenantIds);
  return new Map(tenantIds.map((id) => [id, held]));
});

export const Snapshot = builder.prismaObject("Snapshot", {
  select: { id: true, tenantId: true },
  description: "A committed artifact.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`snp_…`" }),
    status: t.expose("status", { type: SnapshotStatus, description: "What can be expected of it." }),
    plainBytes: t.expose("plainBytes", { type: "ByteCount", description: "Size of the contents." }),
    storedBytes: t.expose("storedBytes", { type: "ByteCount", description: "Size of all that is stored, sealed." }),
    fileCount: t.exposeInt("fileCount", { description: "Regular files." }),
    durationMs: t.exposeInt("durationMs", { description: "Milliseconds from the first byte to the commit." }),
    artifactSha256: t.exposeString("artifactSha256", { description: "sha256 of the artifact, in hex." }),
    keyFingerprint: t.exposeString("keyFingerprint", { description: "The key it is sealed to, `sha256:…`." }),
    storage: t.expose("storage", { type: StorageBackend, description: "Where its bytes lie." }),
    localPath: t.exposeString("localPath", {
      nullable: true,
      description: "Its directory below the worker's storage base.",
    }),
    pinned: t.exposeBoolean("pinned", { description: "Kept whatever the retention says." }),
    pinReason: t.exposeString("pinReason", { nullable: true, description: "Why somebody pinned it." }),
    keepReasons: t.field({
      type: [KeepReason],
      description: "Why the retention keeps it; none: it goes with the next run, is about to, or is missing.",
      select: { id: true, sourceId: true },
      complexity: 2,
      resolve: async ({ id, sourceId }, _, context) => (await reasonsOfSource(context, sourceId))?.get(id) ?? [],
    }),
    deletionDueAt: t.expose("deletionDueAt", {
      type: "DateTime",
      nullable: true,
      description: "When its bytes are removed: until then it can be restored, and `undeleteSnapshot` keeps it.",
    }),
    deletedAt: t.expose("deletedAt", { type: "DateTime", nullable: true, description: "When its bytes were gone." }),
    durability: t.field({
      type: SnapshotDurability,
      description: "What it takes to lose it.",
      select: { storage: true },
      resolve: ({ storage }) => (storage === "LOCAL_FS" ? "SINGLE_COPY" : "OBJECT_STORAGE"),
    }),
    sealedTo: t.stringList({
      description: "Fingerprints of all keys that it is sealed to, `sha256:…`: each opens it by itself.",
      select: { id: true },
      resolve: async ({ id }, _, context) => (await sealedTo(context, id)) ?? [],
    }),
    restorableByPlatform: t.boolean({
      description: "Whether the platform holds a key that opens it; else only its owner does.",
      select: { tenantId: true, keyFingerprint: true },
      resolve: async ({ tenantId, keyFingerprint }, _, context) =>
        (await heldFingerprints(context, tenantId))?.has(keyFingerprint) ?? false,
    }),
    viewerCanRestore: t.boolean({
      description: "Whether it can be restored here, by whoever asks.",
      select: { tenantId: true, status: true, keyFingerprint: true },
      resolve: async ({ tenantId, status, keyFingerprint }, _, context) =>
        status === "COMPLETED" &&
        isAuthorized(context.actor(), tenantId, "startRestore") &&
        ((await heldFingerprints(context, tenantId))?.has(keyFingerprint) ?? false),
    }),
    viewerCanDelete: t.boolean({
      description: "Whether its deletion can be asked for, by whoever asks.",
      select: { tenantId: true, status: true, pinned: true, deletionDueAt: true },
      resolve: ({ tenantId, status, pinned, deletionDueAt }, _, { actor }) =>
        !isGone(status) && !pinned && !deletionDueAt && isAuthorized(actor(), tenantId, "deleteSnapshot"),
    }),
    viewerCanUndelete: t.boolean({
      description: "Whether its deletion can be taken back, by whoever asks.",
      select: { tenantId: true, status: true, deletionDueAt: true },
      resolve: ({ tenantId, status, deletionDueAt }, _, { actor }) =>
        !isGone(status) && deletionDueAt !== null && isAuthorized(actor(), tenantId, "undeleteSnapshot"),
    }),
    viewerCanPin: t.boolean({
      description: "Whether it can be pinned, by whoever asks.",
      select: { tenantId: true, status: true, deletionDueAt: true },
      resolve: ({ tenantId, status, deletionDueAt }, _, { actor }) =>
        !isGone(status) && !deletionDueAt && isAuthorized(actor(), tenantId, "pinSnapshot"),
    }),
    viewerCanUnpin: t.boolean({
      description: "Whether it can be left to the retention again, by whoever asks.",
      select: { tenantId: true, pinned: true },
      resolve: ({ tenantId, pinned }, _, { actor }) => pinned && isAuthorized(actor(), tenantId, "unpinSnapshot"),
    }),
    source: t.relation("source", { description: "What it is a snapshot of." }),
    partial: t.exposeBoolean("partial", { description: "Some entries could not be read; `warnings` names them." }),
    warnings: t.field({
      type: [SnapshotWarning],
      description: "What to know about it, up to 1000.",
      select: { warnings: true },
      resolve: ({ warnings }) => warnings as { code: string; path: string; message: string }[],
    }),
    verifiedAt: t.expose("verifiedAt", {
      type: "DateTime",
      nullable: true,
      description: "When it was last checked and found whole; null: not since it was made, when it was read back.",
    }),
    verifyDepth: t.expose("verifyDepth", {
      type: VerifyDepth,
      nullable: true,
      description: "How deep that check looked.",
    }),
    openedAt: t.expose("openedAt", {
      type: "DateTime",
      nullable: true,
      description:
        "When it was last opened for real, to prove that it can be, and everything in it was as it should be.",
    }),
    damagedAt: t.expose("damagedAt", {
      type: "DateTime",
      nullable: true,
      description: "When it was found damaged or missing; null while it is whole.",
    }),
    damage: t.exposeString("damage", { nullable: true, description: "What is wrong with it, in one sentence." }),
    viewerCanVerify: t.boolean({
      description: "Whether it can be checked now, by whoever asks.",
      select: { tenantId: true, status: true },
      resolve: ({ tenantId, status }, _, { actor }) =>
        !isGone(status) && status !== "FAILED" && isAuthorized(actor(), tenantId, "verifySnapshot"),
    }),
    job: t.relation("job", { type: Job, description: "The backup that made it." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was committed." }),
  }),
});

const SnapshotConnection = builder.connectionObject(
  { type: Snapshot, name: "SnapshotConnection", description: "A page of snapshots: 20 by default, 100 at most." },
  { name: "SnapshotEdge", description: "A snapshot on its page." },
);

const SnapshotFilterInput = builder.inputType("SnapshotFilterInput", {
  description: "Which snapshots: those that everything said here is true of.",
  fields: (t) => ({
    statuses: t.field({ type: [SnapshotStatus], description: "In one of these states." }),
    sourceId: t.id({ description: "Of this source." }),
    pinned: t.boolean({ description: "Pinned, or not." }),
    deletionDue: t.boolean({ description: "About to be deleted, or not." }),
    createdAfter: t.field({ type: "DateTime", description: "Committed then or later." }),
    createdBefore: t.field({ type: "DateTime", description: "Committed earlier than that." }),
  }),
});

export const snapshotList = listing({
  model: "Snapshot",
  connection: SnapshotConnection,
  filter: SnapshotFilterInput,
  orders: ordersOf("Snapshot", {
    ...byAge,
    LARGEST_FIRST: {
      by: [
        ["storedBytes", "desc"],
        ["id", "desc"],
      ],
      description: "What takes the most room first.",
    },
  }),
  where: ({ statuses: inStates, sourceId, pinned, deletionDue, createdAfter, createdBefore }) => ({
    ...(inStates && { status: { in: inStates } }),
    ...(sourceId && { sourceId }),
    ...(typeof pinned === "boolean" && { pinned }),
    ...(typeof deletionDue === "boolean" && { deletionDueAt: deletionDue ? { not: null } : null }),
    ...((createdAfter || createdBefore) && {
      createdAt: { ...(createdAfter && { gte: createdAfter }), ...(createdBefore && { lt: createdBefore }) },
    }),
  }),
});

builder.queryField("snapshot", (t) =>
  t.prismaField({
    type: Snapshot,
    nullable: true,
    description: "A snapshot by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`snp_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findSnapshot(hub, actor(), id, query),
  }),
);

builder.relayMutationField(
  "deleteSnapshot",
  {
    description: "A snapshot to delete.",
    inputFields: (t) => ({ snapshotId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Asks for a snapshot's deletion. For a grace, a week unless the platform says otherwise, it can still be restored, and the deletion be taken back; then its worker removes the bytes.",
    errors: { types: [NotFoundError, SnapshotInUseError] },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await deleteSnapshot(hub, actor(), input) }),
  },
  {
    description: "The deletion that was asked for.",
    outputFields: (t) => ({
      job: t.expose("job", { type: Job, description: "Removes the bytes, once it is due." }),
    }),
  },
);

builder.relayMutationField(
  "undeleteSnapshot",
  {
    description: "A snapshot to keep after all.",
    inputFields: (t) => ({
      snapshotId: t.id({ required: true, description: "Which." }),
    }),
  },
  {
    description: "Takes a deletion back, as long as its worker has not begun with it.",
    errors: { types: [NotFoundError, SnapshotDeletedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ snapshot: await undeleteSnapshot(hub, actor(), input) }),
  },
  {
    description: "The snapshot that stays.",
    outputFields: (t) => ({ snapshot: t.expose("snapshot", { type: Snapshot, description: "It." }) }),
  },
);

builder.relayMutationField(
  "pinSnapshot",
  {
    description: "A snapshot to keep.",
    inputFields: (t) => ({
      snapshotId: t.id({ required: true, description: "Which." }),
      reason: t.string({ required: true, description: "Why it is kept, in up to 500 characters." }),
    }),
  },
  {
    description:
      "Keeps a snapshot whatever the retention says, and from being deleted. Pinning it again replaces the reason.",
    errors: { types: [NotFoundError, InvalidInputError, SnapshotDeletedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ snapshot: await pinSnapshot(hub, actor(), input) }),
  },
  {
    description: "The pinned snapshot.",
    outputFields: (t) => ({ snapshot: t.expose("snapshot", { type: Snapshot, description: "It." }) }),
  },
);

builder.relayMutationField(
  "unpinSnapshot",
  {
    description: "A snapshot that is pinned no more.",
    inputFields: (t) => ({
      snapshotId: t.id({ required: true, description: "Which." }),
    }),
  },
  {
    description: "Leaves a snapshot to the retention again.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ snapshot: await unpinSnapshot(hub, actor(), input) }),
  },
  {
    description: "The snapshot.",
    outputFields: (t) => ({ snapshot: t.expose("snapshot", { type: Snapshot, description: "It." }) }),
  },
);
