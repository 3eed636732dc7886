// Snapshots on their way back, through links that expire.
import { isAuthorized } from "../../domain/actor.ts";
import {
  CustomerKeyRequiredError,
  InvalidInputError,
  KeyUnavailableError,
  NotFoundError,
  RestoreEndedError,
  SnapshotNotRestorableError,
} from "../../domain/errors.ts";
import { findRestore, revokeRestore, startRestore } from "../../domain/restores.ts";
import { RestoreForm as forms, RestoreStatus as statuses } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { Job } from "./job.ts";
import { byAge, listing, ordersOf, relatedList } from "./listing.ts";
import { Node } from "./node.ts";
import { Snapshot } from "./snapshot.ts";

const RestoreStatus = builder.enumType("RestoreStatus", {
  description: "Whether a restore's link works.",
  values: {
    PREPARING: { value: statuses.PREPARING, description: "Not yet." },
    READY: { value: statuses.READY, description: "Until it expires or was used." },
    EXPIRED: { value: statuses.EXPIRED, description: "Not any more: its time is over, or it was fetched." },
    FAILED: { value: statuses.FAILED, description: "It never will: see the job." },
    REVOKED: { value: statuses.REVOKED, description: "Not any more: it was ended before its time." },
  },
});

const RestoreForm = builder.enumType("RestoreForm", {
  description: "The form of a download.",
  values: {
    ZIP: { value: forms.ZIP, description: "A zip file." },
    TAR: { value: forms.TAR, description: "A tar file: keeps modes, times and names to the byte." },
    SEALED: {
      value: forms.SEALED,
      description:
        "The artifact as it is stored, all of it: open it with your own key, `age -d -i key.txt FILE | zstd -d | tar x`.",
    },
  },
});

const Restore = builder.prismaObject("Restore", {
  description: "A snapshot on its way back to its owner.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`rst_…`" }),
    status: t.expose("status", { type: RestoreStatus, description: "Whether its link works." }),
    form: t.expose("form", { type: RestoreForm, description: "The form of the download." }),
    selection: t.exposeStringList("selection", { description: "Paths to take; empty: all." }),
    snapshot: t.relation("snapshot", { type: Snapshot, description: "What is restored." }),
    job: t.relation("job", { type: Job, description: "What prepares it." }),
    expiresAt: t.expose("expiresAt", { type: "DateTime", nullable: true, description: "When the link ends." }),
    sizeBytes: t.expose("sizeBytes", { type: "ByteCount", nullable: true, description: "Size of the download." }),
    timesFetched: t.exposeInt("timesFetched", { description: "How often it went out whole." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was asked for." }),
    viewerCanRevoke: t.boolean({
      description: "Whether its link can be ended, by whoever asks.",
      select: { tenantId: true, status: true },
      resolve: ({ tenantId, status }, _, { actor }) =>
        (status === "PREPARING" || status === "READY") && isAuthorized(actor(), tenantId, "revokeRestore"),
    }),
  }),
});

const RestoreConnection = builder.connectionObject(
  { type: Restore, name: "RestoreConnection", description: "A page of restores: 20 by default, 100 at most." },
  { name: "RestoreEdge", description: "A restore on its page." },
);

const RestoreFilterInput = builder.inputType("RestoreFilterInput", {
  description: "Which restores: those that everything said here is true of.",
  fields: (t) => ({
    statuses: t.field({ type: [RestoreStatus], description: "In one of these states." }),
    snapshotId: t.id({ description: "Of this snapshot." }),
  }),
});

export const restoreList = listing({
  model: "Restore",
  connection: RestoreConnection,
  filter: RestoreFilterInput,
  orders: ordersOf("Restore", byAge),
  where: ({ statuses: inStates, snapshotId }) => ({
    ...(inStates && { status: { in: inStates } }),
    ...(snapshotId && { snapshotId }),
  }),
});

builder.prismaObjectField(Snapshot, "restores", (t) =>
  relatedList(t, "restores", restoreList, { description: "What was fetched back of it, newest first." }),
);

builder.queryField("restore", (t) =>
  t.prismaField({
    type: Restore,
    nullable: true,
    description: "A restore by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`rst_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findRestore(hub, actor(), id, query),
  }),
);

builder.relayMutationField(
  "startRestore",
  {
    description: "A snapshot to restore.",
    inputFields: (t) => ({
      snapshotId: t.id({ required: true, description: "Which." }),
      form: t.field({ type: RestoreForm, required: true, description: "The form of the download." }),
      selection: t.stringList({
        description: "Paths to take, each with everything beneath it; all where none is given.",
      }),
    }),
  },
  {
    description: "Prepares a download. Its link works once the job is completed, for one fetch, until it expires.",
    errors: {
      types: [
        NotFoundError,
        InvalidInputError,
        SnapshotNotRestorableError,
        CustomerKeyRequiredError,
        KeyUnavailableError,
      ],
    },
    resolve: (_, { input }, { hub, actor }) => startRestore(hub, actor(), input),
  },
  {
    description: "The restore under way.",
    outputFields: (t) => ({
      restore: t.expose("restore", { type: Restore, description: "It." }),
      downloadUrl: t.exposeString("downloadUrl", { description: "The link. Shown here and never again." }),
    }),
  },
);

builder.relayMutationField(
  "revokeRestore",
  {
    description: "A restore to end.",
    inputFields: (t) => ({ restoreId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Ends a restore's link before its time: within seconds it answers 410. What still prepares it is stopped.",
    errors: { types: [NotFoundError, RestoreEndedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ restore: await revokeRestore(hub, actor(), input) }),
  },
  {
    description: "The restore that was ended.",
    outputFields: (t) => ({ restore: t.expose("restore", { type: Restore, description: "It." }) }),
  },
);
