// All jobs, snapshots or workers, live: what is there to begin with, then every one that changes, as it is by then.
import { authorizePlatform, isOperator } from "../../domain/actor.ts";
import { InvalidInputError } from "../../domain/errors.ts";
import { findWatchedPart, mayWatch } from "../../domain/watching.ts";
import type { Job as JobRow, Snapshot as SnapshotRow, Worker as WorkerRow } from "../../prisma/client/client.ts";
import { watchAuthorized } from "./authorized-stream.ts";
import { builder } from "./builder.ts";
import type { LiveRows, PublicContext, RowUpdate } from "./context.ts";
import { Job } from "./job.ts";
import { orRefused } from "./refused.ts";
import { Snapshot } from "./snapshot.ts";
import { Worker } from "./worker.ts";

const cursorDescription = "Hand it to `after` to go on from here without a gap.";
const nodeDescription = "as it is by now. Null once: everything that was there before, or since `after`, is told.";
const afterDescription = "The cursor of the last step seen: it begins with what has changed since.";
const manner =
  "Changes that come faster than they are read are told as one, and the latest state always is; after a reconnection one may be told again. Ends when the watcher loses their part.";

const JobsChanged = builder.objectRef<RowUpdate<JobRow>>("JobsChanged").implement({
  description: "A job that is there, or that has changed.",
  fields: (t) => ({
    cursor: t.exposeString("cursor", { description: cursorDescription }),
    job: t.expose("row", { type: Job, nullable: true, description: `The job, ${nodeDescription}` }),
  }),
});

const SnapshotsChanged = builder.objectRef<RowUpdate<SnapshotRow>>("SnapshotsChanged").implement({
  description: "A snapshot that is there, or that has changed.",
  fields: (t) => ({
    cursor: t.exposeString("cursor", { description: cursorDescription }),
    snapshot: t.expose("row", { type: Snapshot, nullable: true, description: `The snapshot, ${nodeDescription}` }),
  }),
});

const WorkersChanged = builder.objectRef<RowUpdate<WorkerRow>>("WorkersChanged").implement({
  description: "A worker that is there, or that has changed.",
  fields: (t) => ({
    cursor: t.exposeString("cursor", { description: cursorDescription }),
    worker: t.expose("row", { type: Worker, nullable: true, description: `The worker, ${nodeDescription}` }),
  }),
});

interface WatchArguments {
  readonly tenantId?: string | null | undefined;
  readonly sourceId?: string | null | undefined;
  readonly after?: string | null | undefined;
}

builder.subscriptionFields((t) => ({
  jobsChanged: t.field({
    type: JobsChanged,
    description: `The jobs of a tenant or of a source, live. It begins with all that have not ended. ${manner}`,
    args: {
      tenantId: t.arg.id({ description: "Whose jobs; this or a source." }),
      sourceId: t.arg.id({ description: "The source whose jobs; this or a tenant." }),
      after: t.arg.string({ description: afterDescription }),
    },
    subscribe: (_, args, context) => watchPart(context, context.live.jobs, args),
    resolve: (update) => update,
  }),
  snapshotsChanged: t.field({
    type: SnapshotsChanged,
    description: `The snapshots of a tenant or of a source, live. It begins with the newest 20 that are not deleted. ${manner}`,
    args: {
      tenantId: t.arg.id({ description: "Whose snapshots; this or a source." }),
      sourceId: t.arg.id({ description: "The source whose snapshots; this or a tenant." }),
      after: t.arg.string({ description: afterDescription }),
    },
    subscribe: (_, args, context) => watchPart(context, context.live.snapshots, args),
    resolve: (update) => update,
  }),
  workersChanged: t.field({
    type: WorkersChanged,
    description: `The workers, live, for operators. It begins with all that are not retired. ${manner}`,
    args: { after: t.arg.string({ description: afterDescription }) },
    subscribe: (_, { after }, context) =>
      orRefused(async () => {
        authorizePlatform(context.actor());
        const watch = whereCursor(context.live.workers, { after, tenantId: "", sourceIds: null });
        return watchAuthorized(context, { may: isOperator, watch });
      }),
    resolve: (update) => update,
  }),
}));

function watchPart<Row>(
  context: PublicContext,
  rows: LiveRows<Row>,
  { after, ...part }: WatchArguments,
): Promise<AsyncIterableIterator<RowUpdate<Row>>> {
  return orRefused(async () => {
    const watched = await findWatchedPart(context.hub, context.actor(), part);
    const watch = whereCursor(rows, { after, ...watched });
    return watchAuthorized(context, { may: (actor) => mayWatch(actor, watched), watch });
  });
}

/** Throws `InvalidInputError` for a cursor that is none. */
function whereCursor<Row>(
  rows: LiveRows<Row>,
  {
    after,
    tenantId,
    sourceIds,
  }: { after: string | null | undefined; tenantId: string; sourceIds: readonly string[] | null },
): (signal: AbortSignal) => AsyncIterableIterator<RowUpdate<Row>> {
  if (after != null && !rows.isCursor(after))
    throw new InvalidInputError([{ path: "after", message: "This is no cursor of this subscription." }]);
  return (signal) => rows.watch(tenantId, { ...(after != null && { after }), sourceIds, signal });
}
