// How a worker compares its store with the hub: what is missing, what came back, and what nobody knows.
import { adoptSnapshot, type Verdict, weighArtifact } from "../../domain/adoption.ts";
import {
  compareStore,
  reportInventory,
  reportMissing,
  reportReturned,
  type StoreComparison,
} from "../../domain/inventory.ts";
import { builder } from "./builder.ts";
import { CompletedSnapshotInput } from "./jobs.ts";

const CompareStoreInput = builder.inputType("CompareStoreInput", {
  description: "One stretch of a worker's store, by the ids of its snapshots.",
  fields: (t) => ({
    snapshotIds: t.idList({ description: "All that is there between the two ends, 1000 at most." }),
    after: t.id({ required: false, description: "Where it begins, exclusive; null: at the very first." }),
    upTo: t.id({ required: false, description: "Where it ends, inclusive; null: at the very last." }),
    atStart: t.boolean({ description: "The process has just started, and has nothing under way." }),
  }),
});

const ExpectedSnapshot = builder.objectRef<StoreComparison["missing"][number]>("ExpectedSnapshot").implement({
  description: "A snapshot that ought to be in the store.",
  fields: (t) => ({
    snapshotId: t.exposeID("snapshotId", { description: "Its id." }),
    directory: t.exposeString("directory", { description: "Where it would lie." }),
  }),
});

const ReturnedSnapshot = builder.objectRef<StoreComparison["returned"][number]>("ReturnedSnapshot").implement({
  description: "A snapshot that was missing and is there again.",
  fields: (t) => ({
    snapshotId: t.exposeID("snapshotId", { description: "Its id." }),
    manifestSha256: t.exposeString("manifestSha256", { description: "sha256 of its manifest.json." }),
  }),
});

const CompareStorePayload = builder.objectRef<StoreComparison>("CompareStorePayload").implement({
  description: "How a stretch of a store differs from the hub.",
  fields: (t) => ({
    unknown: t.exposeIDList("unknown", { description: "There, without a row: to be weighed." }),
    remove: t.exposeIDList("remove", { description: "There, and deleted: to be removed." }),
    missing: t.expose("missing", { type: [ExpectedSnapshot], description: "Not there: to be looked for once more." }),
    returned: t.expose("returned", { type: [ReturnedSnapshot], description: "There again: to be verified." }),
  }),
});

const WeighArtifactInput = builder.inputType("WeighArtifactInput", {
  description: "An artifact without a row.",
  fields: (t) => ({
    tenantId: t.id({ description: "Whose it is, by its place." }),
    sourceId: t.id({ description: "Of which source." }),
    snapshotId: t.id({ description: "Its id." }),
    jobId: t.id({ required: false, description: "The job that made it; null where it is damaged." }),
    workerId: t.id({ required: false, description: "The worker that made it; null where it is damaged." }),
    atStart: t.boolean({ description: "The process has just started, and has nothing under way." }),
  }),
});

const VerdictKind = builder.enumType("Verdict", {
  description: "What is to become of an artifact without a row.",
  values: {
    ADOPT: { description: "It gets its row, once its bytes are verified." },
    REMOVE: { description: "It belongs to nobody." },
    LEAVE: { description: "It stays as it is." },
  } as const,
});

const Weighed = builder.objectRef<Verdict>("WeighedArtifact").implement({
  description: "What is to become of it, and why.",
  fields: (t) => ({
    verdict: t.expose("verdict", { type: VerdictKind, description: "What." }),
    urgent: t.exposeBoolean("urgent", { description: "Its job would be done again otherwise." }),
    reason: t.exposeString("reason", { nullable: true, description: "Why it is not adopted." }),
  }),
});

const AdoptSnapshotInput = builder.inputType("AdoptSnapshotInput", {
  description: "An artifact whose bytes were verified.",
  fields: (t) => ({
    atStart: t.boolean({ description: "The process has just started, and has nothing under way." }),
    snapshot: t.field({ type: CompletedSnapshotInput, description: "What its documents say." }),
  }),
});

const ReportMissingInput = builder.inputType("ReportMissingInput", {
  description: "Snapshots that were looked for.",
  fields: (t) => ({ snapshotIds: t.idList({ description: "Those that are not there, 1000 at most." }) }),
});

const ReportMissingPayload = builder.objectRef<{ snapshotIds: string[] }>("ReportMissingPayload").implement({
  description: "Snapshots that are missing from now on.",
  fields: (t) => ({ snapshotIds: t.exposeIDList("snapshotIds", { description: "Which." }) }),
});

const ReportReturnedInput = builder.inputType("ReportReturnedInput", {
  description: "A snapshot that was missing, and whose bytes were verified.",
  fields: (t) => ({
    snapshotId: t.id({ description: "Which." }),
    manifestSha256: t.string({ description: "sha256 of its manifest.json, in hex." }),
  }),
});

const ReportReturnedPayload = builder.objectRef<{ returned: boolean }>("ReportReturnedPayload").implement({
  description: "Whether it can be restored again.",
  fields: (t) => ({ returned: t.exposeBoolean("returned", { description: "Whether." }) }),
});

const LeftArtifactInput = builder.inputType("LeftArtifactInput", {
  description: "What was left alone.",
  fields: (t) => ({
    snapshotId: t.id({ description: "Which." }),
    reason: t.string({ description: "Why." }),
  }),
});

const ReportInventoryInput = builder.inputType("ReportInventoryInput", {
  description: "What an inventory came to.",
  fields: (t) => ({
    present: t.int({ description: "Snapshots that are there." }),
    adopted: t.int({ description: "Those that got their row." }),
    removed: t.int({ description: "Those that were removed." }),
    missing: t.int({ description: "Those that are not there." }),
    returned: t.int({ description: "Those that are there again." }),
    left: t.field({ type: [LeftArtifactInput], description: "Those that were left alone." }),
  }),
});

const ReportInventoryPayload = builder.objectRef<{ at: Date }>("ReportInventoryPayload").implement({
  description: "An inventory that is over.",
  fields: (t) => ({ at: t.expose("at", { type: "DateTime", description: "When." }) }),
});

builder.mutationFields((t) => ({
  compareStore: t.field({
    type: CompareStorePayload,
    description: "How one stretch of the worker's store differs from the hub. Changes nothing.",
    args: { input: t.arg({ type: CompareStoreInput, description: "What is there." }) },
    resolve: (_, { input }, { hub, worker }) => compareStore(hub, worker, input),
  }),
  weighArtifact: t.field({
    type: Weighed,
    description: "What is to become of an artifact without a row. Changes nothing.",
    args: { input: t.arg({ type: WeighArtifactInput, description: "Which." }) },
    resolve: (_, { input }, { hub, worker }) =>
      weighArtifact(hub, worker, { ...input, jobId: input.jobId ?? null, workerId: input.workerId ?? null }),
  }),
  adoptSnapshot: t.field({
    type: Weighed,
    description: "Gives a verified artifact its row, unless that is no longer what is to become of it.",
    args: { input: t.arg({ type: AdoptSnapshotInput, description: "Which." }) },
    resolve: (_, { input }, { hub, worker }) => adoptSnapshot(hub, worker, input),
  }),
  reportMissing: t.field({
    type: ReportMissingPayload,
    description: "Marks snapshots of the worker's store that are not there.",
    args: { input: t.arg({ type: ReportMissingInput, description: "Which." }) },
    resolve: (_, { input }, { hub, worker }) => reportMissing(hub, worker, input),
  }),
  reportReturned: t.field({
    type: ReportReturnedPayload,
    description: "Makes a missing snapshot good again.",
    args: { input: t.arg({ type: ReportReturnedInput, description: "Which." }) },
    resolve: (_, { input }, { hub, worker }) => reportReturned(hub, worker, input),
  }),
  reportInventory: t.field({
    type: ReportInventoryPayload,
    description: "Ends an inventory.",
    args: { input: t.arg({ type: ReportInventoryInput, description: "What it came to." }) },
    resolve: (_, { input }, { hub, worker }) => reportInventory(hub, worker, input),
  }),
}));
