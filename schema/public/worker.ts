// The processes of the data plane, for those who operate the platform.
import { enrolWorker } from "../../domain/enrolments.ts";
import { InvalidInputError, NotFoundError, WorkerInUseError } from "../../domain/errors.ts";
import {
  countWorkers,
  drainWorker,
  findWorker,
  listWorkers,
  loadsOf,
  resumeWorker,
  retireWorker,
  startInventory,
  updateWorker,
} from "../../domain/fleet.ts";
import { type Inventory, inventoryOf } from "../../domain/inventory.ts";
import { concurrencyOf } from "../../domain/workers.ts";
import { WorkerRole as roles, WorkerStatus as statuses } from "../../prisma/client/client.ts";
import { gathered } from "./batch.ts";
import { builder } from "./builder.ts";
import { byAge, listing, ordersOf, rootList } from "./listing.ts";
import { Node } from "./node.ts";

const WorkerStatus = builder.enumType("WorkerStatus", {
  description: "Whether a worker takes jobs.",
  values: {
    ONLINE: { value: statuses.ONLINE, description: "It does." },
    OFFLINE: { value: statuses.OFFLINE, description: "It has not been heard of lately." },
    DRAINING: { value: statuses.DRAINING, description: "It finishes what it has and takes no more." },
  },
});

const WorkerRole = builder.enumType("WorkerRole", {
  description: "What a process of the data plane is for.",
  values: {
    BACKUP: { value: roles.BACKUP, description: "Backs up, and keeps what it stored." },
    RESTORE: { value: roles.RESTORE, description: "Prepares downloads and hands them out." },
  },
});

const loads = gathered(({ hub, actor }, ids: readonly string[]) => loadsOf(hub, actor(), ids));

const LeftArtifact = builder.objectRef<Inventory["left"][number]>("LeftArtifact").implement({
  description: "Something in a store that belongs to nobody the database knows.",
  fields: (t) => ({
    snapshotId: t.exposeID("snapshotId", { description: "The id that it has there." }),
    reason: t.exposeString("reason", { description: "Why it was neither taken up nor removed." }),
  }),
});

const StoreInventory = builder.objectRef<Inventory>("StoreInventory").implement({
  description: "How the store of a worker differed from the database, and what was done about it.",
  fields: (t) => ({
    present: t.exposeInt("present", { description: "Snapshots that were there." }),
    adopted: t.exposeInt("adopted", { description: "Those that the database did not know, and knows again." }),
    removed: t.exposeInt("removed", { description: "Those that belonged to nobody and were removed." }),
    missing: t.exposeInt("missing", { description: "Those that were not there: they are MISSING now." }),
    returned: t.exposeInt("returned", { description: "Those that were MISSING and are there again, whole." }),
    left: t.expose("left", { type: [LeftArtifact], description: "What was left alone: 100 of it at most." }),
  }),
});

export const Worker = builder.prismaObject("Worker", {
  description: "A process of the data plane.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`wrk_…`" }),
    name: t.exposeString("name", { description: "What it is called." }),
    role: t.expose("role", { type: WorkerRole, description: "What it is for." }),
    status: t.expose("status", { type: WorkerStatus, description: "Whether it takes jobs." }),
    capabilities: t.expose("capabilities", { type: "JSON", description: "What it said it can do." }),
    storageBase: t.exposeString("storageBase", { nullable: true, description: "Where its artifacts lie." }),
    concurrency: t.int({
      nullable: true,
      description: "Jobs that it does at once; null where it has not said.",
      select: { capabilities: true },
      resolve: (worker) => concurrencyOf(worker),
    }),
    freeBytes: t.expose("freeBytes", {
      type: "ByteCount",
      nullable: true,
      description: "Room that is left in its store, as it said last; null before it did.",
    }),
    totalBytes: t.expose("totalBytes", {
      type: "ByteCount",
      nullable: true,
      description: "Size of the disk that its store lies on; null before it said so.",
    }),
    inventoriedAt: t.expose("inventoriedAt", {
      type: "DateTime",
      nullable: true,
      description: "When it last compared its store with the database; null before the first time.",
    }),
    inventory: t.field({
      type: StoreInventory,
      nullable: true,
      description: "What that came to.",
      select: { inventory: true },
      resolve: ({ inventory }) => inventoryOf(inventory),
    }),
    lastSeenAt: t.expose("lastSeenAt", { type: "DateTime", nullable: true, description: "When it was last heard." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it joined." }),
    drainedAt: t.expose("drainedAt", {
      type: "DateTime",
      nullable: true,
      description: "Since when it gets nothing more to do; null: it does.",
    }),
    retiredAt: t.expose("retiredAt", {
      type: "DateTime",
      nullable: true,
      description: "Since when it is gone for good.",
    }),
    snapshotCount: t.int({
      description: "The snapshots whose bytes it keeps.",
      resolve: async ({ id }, _, context) => (await loads(context, id))?.snapshotCount ?? 0,
    }),
    storedBytes: t.field({
      type: "ByteCount",
      description: "What they take, sealed and stored.",
      resolve: async ({ id }, _, context) => (await loads(context, id))?.storedBytes ?? 0n,
    }),
    runningJobs: t.int({
      description: "The jobs that it is at.",
      resolve: async ({ id }, _, context) => (await loads(context, id))?.runningJobs ?? 0,
    }),
  }),
});

const WorkerConnection = builder.connectionObject(
  { type: Worker, name: "WorkerConnection", description: "A page of workers: 20 by default, 100 at most." },
  { name: "WorkerEdge", description: "A worker on its page." },
);

const WorkerFilter = builder.inputType("WorkerFilter", {
  description: "Which workers; what is left out does not matter.",
  fields: (t) => ({
    role: t.field({ type: WorkerRole, description: "Those that are for this." }),
    status: t.field({ type: WorkerStatus, description: "Those in this state." }),
    includeRetired: t.boolean({ description: "Those that are gone for good as well." }),
  }),
});

const workerList = listing({
  model: "Worker",
  connection: WorkerConnection,
  orders: ordersOf("Worker", {
    ...byAge,
    NAME: {
      by: [
        ["name", "asc"],
        ["id", "asc"],
      ],
      description: "By what they are called.",
    },
  }),
  filter: WorkerFilter,
  where: ({ role, status, includeRetired }) => ({
    ...(role && { role }),
    ...(status && { status }),
    ...(!includeRetired && { retiredAt: null }),
  }),
});

builder.queryFields((t) => ({
  worker: t.prismaField({
    type: Worker,
    nullable: true,
    description: "A worker by its id; null for everybody but operators.",
    args: { id: t.arg.id({ required: true, description: "`wrk_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findWorker(hub, actor(), id, query),
  }),
  workers: rootList(t, workerList, {
    description: "The workers, for operators; retired ones only where they are asked for: 20 a page, 100 at most.",
    rows: (query, { hub, actor }) => listWorkers(hub, actor(), query),
    count: (where, { hub, actor }) => countWorkers(hub, actor(), where),
  }),
}));

const WorkerEnrolment = builder.prismaObject("WorkerEnrolment", {
  description: "Leave for one process to join the data plane.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`enr_…`" }),
    name: t.exposeString("name", { description: "What the worker will be called." }),
    role: t.expose("role", { type: WorkerRole, description: "What it will be for." }),
    expiresAt: t.expose("expiresAt", { type: "DateTime", description: "Until when it can be used." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
  }),
});

builder.relayMutationField(
  "enrolWorker",
  {
    description: "A process that is to join.",
    inputFields: (t) => ({
      name: t.string({ required: true, description: "What it is called, 1 to 100 characters." }),
      role: t.field({ type: WorkerRole, required: true, description: "What it is for." }),
    }),
  },
  {
    description:
      "Makes a token that lets one process join, once and within 24 hours. The process takes a token of its own for it. For operators.",
    errors: { types: [InvalidInputError] },
    resolve: (_, { input }, { hub, actor }) => enrolWorker(hub, actor(), input),
  },
  {
    description: "What a process joins with.",
    outputFields: (t) => ({
      enrolment: t.expose("enrolment", { type: WorkerEnrolment, description: "What it is good for." }),
      token: t.exposeString("token", { description: "Its WORKER_ENROLMENT_TOKEN. Shown here and never again." }),
    }),
  },
);

builder.relayMutationField(
  "updateWorker",
  {
    description: "A new name for a worker.",
    inputFields: (t) => ({
      workerId: t.id({ required: true, description: "Which." }),
      name: t.string({ required: true, description: "What it is called from now on, 1 to 100 characters." }),
    }),
  },
  {
    description: "Renames a worker. For operators.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ worker: await updateWorker(hub, actor(), input) }),
  },
  {
    description: "The worker that was renamed.",
    outputFields: (t) => ({ worker: t.expose("worker", { type: Worker, description: "It." }) }),
  },
);

builder.relayMutationField(
  "drainWorker",
  {
    description: "A worker that is to get nothing more to do.",
    inputFields: (t) => ({ workerId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "It gets nothing more to do, and ends what it has. For operators.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ worker: await drainWorker(hub, actor(), input) }),
  },
  {
    description: "The worker that is drained.",
    outputFields: (t) => ({ worker: t.expose("worker", { type: Worker, description: "It." }) }),
  },
);

builder.relayMutationField(
  "resumeWorker",
  {
    description: "A drained worker that is to work again.",
    inputFields: (t) => ({ workerId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "It gets work again. For operators.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ worker: await resumeWorker(hub, actor(), input) }),
  },
  {
    description: "The worker that works again.",
    outputFields: (t) => ({ worker: t.expose("worker", { type: Worker, description: "It." }) }),
  },
);

builder.relayMutationField(
  "startInventory",
  {
    description: "A worker whose store is to be looked through.",
    inputFields: (t) => ({ workerId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description:
      "Has a worker compare its store with the database now, rather than within the hour: what the database forgot is taken up again, what is gone is MISSING. For operators.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ worker: await startInventory(hub, actor(), input) }),
  },
  {
    description: "The worker that was asked.",
    outputFields: (t) => ({
      worker: t.expose("worker", { type: Worker, description: "Its `inventoriedAt` changes when it is done." }),
    }),
  },
);

builder.relayMutationField(
  "retireWorker",
  {
    description: "A worker that is gone for good.",
    inputFields: (t) => ({
      workerId: t.id({ required: true, description: "Which." }),
      force: t.boolean({ description: "Even where it keeps snapshots: they are missing afterwards." }),
    }),
  },
  {
    description:
      "Its token opens nothing from now on, and what it had in hand goes to others. Refused while it keeps snapshots, unless forced. For operators.",
    errors: { types: [NotFoundError, WorkerInUseError] },
    resolve: (_, { input }, { hub, actor }) => retireWorker(hub, actor(), input),
  },
  {
    description: "The worker that is gone.",
    outputFields: (t) => ({
      worker: t.expose("worker", { type: Worker, description: "It." }),
      missing: t.exposeInt("missing", { description: "How many snapshots are missing for it." }),
    }),
  },
);
