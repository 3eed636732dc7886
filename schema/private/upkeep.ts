// How a process of the data plane says hello, signs on, stays known, and learns what to clean up.

import { now } from "../../domain/hub.ts";
import { reconcileRestores } from "../../domain/restores.ts";
import { reconcileStore } from "../../domain/snapshots.ts";
import { heartbeat, protocol, refuseProtocol, registerWorker } from "../../domain/workers.ts";
import { builder } from "./builder.ts";
import { JobType, SourceType, WorkerRole } from "./types.ts";

const Hello = builder.objectRef<{ protocol: number; serverTime: Date }>("Hello").implement({
  description: "The versions of the private protocol that are spoken here.",
  fields: (t) => ({
    protocol: t.exposeInt("protocol", { description: "The version agreed on." }),
    oldestProtocol: t.int({ description: "Oldest version spoken.", resolve: () => protocol.oldest }),
    newestProtocol: t.int({ description: "Newest version spoken.", resolve: () => protocol.newest }),
    serverTime: t.expose("serverTime", { type: "DateTime", description: "The database's time." }),
  }),
});

builder.queryField("hello", (t) =>
  t.field({
    type: Hello,
    description: "Opens a conversation. Refuses with UPGRADE_REQUIRED, naming both versions, where they do not meet.",
    args: { protocol: t.arg.int({ description: "The version that the caller speaks." }) },
    resolve: async (_, args, { hub }) => {
      refuseProtocol(args.protocol);
      return { protocol: args.protocol, serverTime: await now(hub.db) };
    },
  }),
);

const CapabilitiesInput = builder.inputType("CapabilitiesInput", {
  description: "What a process can do.",
  fields: (t) => ({
    version: t.string({ description: "Version of its program." }),
    jobTypes: t.field({ type: [JobType], description: "Jobs that it takes." }),
    sourceTypes: t.field({ type: [SourceType], description: "Sources that it can read." }),
    tools: t.field({ type: "JSON", description: "Versions of the tools at hand." }),
    readsStoresOf: t.stringList({ description: "Ids of the workers whose stores it can read." }),
    concurrency: t.int({ required: false, description: "Jobs at once." }),
  }),
});

const RegisterWorkerInput = builder.inputType("RegisterWorkerInput", {
  description: "A process that has started.",
  fields: (t) => ({
    protocol: t.int({ description: "The version that it speaks." }),
    role: t.field({ type: WorkerRole, description: "What it is for; must be what its token was enrolled as." }),
    publicKey: t.string({ description: "age recipient that its secrets are sealed to; a new one at every start." }),
    storageBase: t.string({ required: false, description: "Where its artifacts lie." }),
    capabilities: t.field({ type: CapabilitiesInput, description: "What it can do." }),
  }),
});

const RegisterWorkerPayload = builder
  .objectRef<{ workerId: string; leaseSeconds: number; heartbeatSeconds: number; storedSnapshots: number }>(
    "RegisterWorkerPayload",
  )
  .implement({
    description: "The terms that the process works under.",
    fields: (t) => ({
      workerId: t.exposeString("workerId", { description: "Who it is." }),
      leaseSeconds: t.exposeInt("leaseSeconds", { description: "How long a claim holds." }),
      heartbeatSeconds: t.exposeInt("heartbeatSeconds", { description: "How often to renew." }),
      storedSnapshots: t.exposeInt("storedSnapshots", { description: "Snapshots that its store ought to have." }),
    }),
  });

const HeartbeatInput = builder.inputType("HeartbeatInput", {
  description: "A sign of life.",
  fields: (t) => ({
    draining: t.boolean({ description: "Takes no new jobs." }),
    freeBytes: t.field({ type: "ByteCount", required: false, description: "Space left in its store." }),
    totalBytes: t.field({ type: "ByteCount", required: false, description: "Size of the disk that it lies on." }),
  }),
});

const HeartbeatPayload = builder.objectRef<{ serverTime: Date; inventoryDue: boolean }>("HeartbeatPayload").implement({
  description: "The answer to a sign of life.",
  fields: (t) => ({
    serverTime: t.expose("serverTime", { type: "DateTime", description: "The database's time." }),
    inventoryDue: t.exposeBoolean("inventoryDue", { description: "Its store is to be compared with the hub now." }),
  }),
});

const ReconcileStoreInput = builder.inputType("ReconcileStoreInput", {
  description: "What lies in a worker's store.",
  fields: (t) => ({ snapshotIds: t.idList({ description: "Up to 1000 snapshots." }) }),
});

const ReconcileStorePayload = builder.objectRef<{ remove: string[] }>("ReconcileStorePayload").implement({
  description: "What to do about a store.",
  fields: (t) => ({ remove: t.exposeIDList("remove", { description: "Snapshots that belong to nobody any more." }) }),
});

const ReconcileRestoresInput = builder.inputType("ReconcileRestoresInput", {
  description: "What lies prepared in a restore service.",
  fields: (t) => ({ restoreIds: t.idList({ description: "Up to 1000 restores." }) }),
});

const ReconcileRestoresPayload = builder.objectRef<{ serve: string[] }>("ReconcileRestoresPayload").implement({
  description: "What to do about prepared downloads.",
  fields: (t) => ({
    serve: t.exposeIDList("serve", { description: "Those that may still be served; wipe the rest." }),
  }),
});

builder.mutationFields((t) => ({
  registerWorker: t.field({
    type: RegisterWorkerPayload,
    description: "Signs a started process on.",
    args: { input: t.arg({ type: RegisterWorkerInput, description: "Who and what it is." }) },
    resolve: (_, { input }, { hub, worker }) => registerWorker(hub, worker, input),
  }),
  heartbeat: t.field({
    type: HeartbeatPayload,
    description: "Keeps a process known as online.",
    args: { input: t.arg({ type: HeartbeatInput, description: "How it is." }) },
    resolve: (_, { input }, { hub, worker }) => heartbeat(hub, worker, input),
  }),
  reconcileStore: t.field({
    type: ReconcileStorePayload,
    description: "Which of these stored snapshots belong to nobody any more and are to be removed.",
    args: { input: t.arg({ type: ReconcileStoreInput, description: "What is there." }) },
    resolve: (_, { input }, { hub }) => reconcileStore(hub, input),
  }),
  reconcileRestores: t.field({
    type: ReconcileRestoresPayload,
    description: "Which of these prepared downloads may still be served.",
    args: { input: t.arg({ type: ReconcileRestoresInput, description: "What is there." }) },
    resolve: (_, { input }, { hub }) => reconcileRestores(hub, input),
  }),
}));
