// How a prepared download is announced, and how its one use is noted.
import { completeRestore } from "../../domain/completions.ts";
import { recordFetch } from "../../domain/restores.ts";
import { builder } from "./builder.ts";

const CompleteRestoreInput = builder.inputType("CompleteRestoreInput", {
  description: "A download that is ready.",
  fields: (t) => ({
    jobId: t.id({ description: "The held job." }),
    leaseEpoch: t.int({ description: "Its lease." }),
    sizeBytes: t.field({ type: "ByteCount", description: "Size of the file." }),
  }),
});

const CompleteRestorePayload = builder.objectRef<{ expiresAt: Date }>("CompleteRestorePayload").implement({
  description: "The terms of the download.",
  fields: (t) => ({
    expiresAt: t.expose("expiresAt", { type: "DateTime", description: "When to wipe it." }),
  }),
});

const RecordFetchInput = builder.inputType("RecordFetchInput", {
  description: "A download that went out whole.",
  fields: (t) => ({ restoreId: t.id({ description: "Which." }) }),
});

const RecordFetchPayload = builder.objectRef<{ timesFetched: number }>("RecordFetchPayload").implement({
  description: "The count of its fetches.",
  fields: (t) => ({ timesFetched: t.exposeInt("timesFetched", { description: "How often it went out." }) }),
});

builder.mutationFields((t) => ({
  completeRestore: t.field({
    type: CompleteRestorePayload,
    description: "Ends a restore job: its link works from now on.",
    args: { input: t.arg({ type: CompleteRestoreInput, description: "What is ready." }) },
    resolve: (_, { input }, { hub, worker }) => completeRestore(hub, worker, input),
  }),
  recordFetch: t.field({
    type: RecordFetchPayload,
    description: "Notes that a download went out whole: its link is used up.",
    args: { input: t.arg({ type: RecordFetchInput, description: "Which." }) },
    resolve: (_, { input }, { hub, worker }) => recordFetch(hub, worker, input),
  }),
}));
