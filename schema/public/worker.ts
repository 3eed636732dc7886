// The processes of the data plane, for those who operate the platform.
import { InvalidInputError } from "../../domain/errors.ts";
import { countWorkers, enrolWorker, findWorker, listWorkers } from "../../domain/workers.ts";
import { WorkerRole as roles, WorkerStatus as statuses } from "../../prisma/client/client.ts";
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

const Worker = builder.prismaObject("Worker", {
  description: "A process of the data plane.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`wrk_…`" }),
    name: t.exposeString("name", { description: "What it is called." }),
    role: t.expose("role", { type: WorkerRole, description: "What it is for." }),
    status: t.expose("status", { type: WorkerStatus, description: "Whether it takes jobs." }),
    capabilities: t.expose("capabilities", { type: "JSON", description: "What it said it can do." }),
    storageBase: t.exposeString("storageBase", { nullable: true, description: "Where its artifacts lie." }),
    lastSeenAt: t.expose("lastSeenAt", { type: "DateTime", nullable: true, description: "When it was last heard." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was enrolled." }),
  }),
});

const WorkerConnection = builder.connectionObject(
  { type: Worker, name: "WorkerConnection", description: "A page of workers: 20 by default, 100 at most." },
  { name: "WorkerEdge", description: "A worker on its page." },
);

const workerList = listing({ model: "Worker", connection: WorkerConnection, orders: ordersOf("Worker", byAge) });

builder.queryFields((t) => ({
  worker: t.prismaField({
    type: Worker,
    nullable: true,
    description: "A worker by its id; null for everybody but operators.",
    args: { id: t.arg.id({ required: true, description: "`wrk_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findWorker(hub, actor(), id, query),
  }),
  workers: rootList(t, workerList, {
    description: "All workers, for operators: 20 a page, 100 at most.",
    rows: (query, { hub, actor }) => listWorkers(hub, actor(), query),
    count: (where, { hub, actor }) => countWorkers(hub, actor(), where),
  }),
}));

builder.relayMutationField(
  "enrolWorker",
  {
    description: "A process that is to join.",
    inputFields: (t) => ({
      name: t.string({ required: true, description: "What it is called." }),
      role: t.field({ type: WorkerRole, required: true, description: "What it is for." }),
    }),
  },
  {
    description: "Makes a worker and the token it signs in with. For operators.",
    errors: { types: [InvalidInputError] },
    resolve: (_, { input }, { hub, actor }) => enrolWorker(hub, actor(), input),
  },
  {
    description: "The worker that was made.",
    outputFields: (t) => ({
      worker: t.expose("worker", { type: Worker, description: "It." }),
      token: t.exposeString("token", { description: "Its WORKER_TOKEN. Shown here and never again." }),
    }),
  },
);
