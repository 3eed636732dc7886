// Committed artifacts: what is kept.
import { NotFoundError, SnapshotInUseError } from "../../domain/errors.ts";
import { deleteSnapshot, findSnapshot } from "../../domain/snapshots.ts";
import { StorageBackend as backends, SnapshotStatus as statuses } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { Job } from "./job.ts";
import { byAge, listing, ordersOf } from "./listing.ts";
import { Node } from "./node.ts";

const SnapshotStatus = builder.enumType("SnapshotStatus", {
  description: "What can be expected of a snapshot.",
  values: {
    COMPLETED: { value: statuses.COMPLETED, description: "Whole, checked after it was written, restorable." },
    FAILED: { value: statuses.FAILED, description: "Never became whole." },
    DELETING: { value: statuses.DELETING, description: "Its bytes are being removed." },
    DELETED: { value: statuses.DELETED, description: "Its bytes are gone." },
    MISSING: { value: statuses.MISSING, description: "Its bytes were not found where they should lie." },
    CORRUPT: { value: statuses.CORRUPT, description: "Its bytes are not what was written." },
  },
});

const StorageBackend = builder.enumType("StorageBackend", {
  description: "Where the bytes of a snapshot lie.",
  values: {
    LOCAL_FS: { value: backends.LOCAL_FS, description: "On the disk of one worker: a single copy." },
    S3: { value: backends.S3, description: "In an object storage." },
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
      description: "When its bytes were last checked.",
    }),
    job: t.relation("job", { type: Job, description: "The backup that made it." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was committed." }),
  }),
});

const SnapshotConnection = builder.connectionObject(
  { type: Snapshot, name: "SnapshotConnection", description: "A page of snapshots: 20 by default, 100 at most." },
  { name: "SnapshotEdge", description: "A snapshot on its page." },
);

export const snapshotList = listing({
  model: "Snapshot",
  connection: SnapshotConnection,
  orders: ordersOf("Snapshot", byAge),
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
    description: "Deletes a snapshot: it cannot be restored from now on, and its worker removes the bytes.",
    errors: { types: [NotFoundError, SnapshotInUseError] },
    resolve: async (_, { input }, { hub, actor }) => ({ job: await deleteSnapshot(hub, actor(), input) }),
  },
  {
    description: "The deletion under way.",
    outputFields: (t) => ({ job: t.expose("job", { type: Job, description: "Removes the bytes." }) }),
  },
);
