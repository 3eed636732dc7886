// A job, live: the present state first, then every event once and in order, and the newest progress in between.
import { GraphQLError } from "graphql";
import type { Actor } from "../../domain/actor.ts";
import { InvalidInputError, NotFoundError } from "../../domain/errors.ts";
import { findJob } from "../../domain/jobs.ts";
import { builder } from "./builder.ts";
import type { JobProgressFacts, JobUpdate, PublicContext } from "./context.ts";
import { Job, JobEvent } from "./job.ts";

const JobProgress = builder.objectRef<JobProgressFacts>("JobProgress").implement({
  description: "What a worker says of its work between two states.",
  fields: (t) => ({
    phase: t.exposeString("phase", { description: "What it is doing, such as PULLING." }),
    filesDone: t.exposeInt("filesDone", { description: "Entries done." }),
    filesTotal: t.exposeInt("filesTotal", { nullable: true, description: "Entries in all; null while unknown." }),
    bytesDone: t.expose("bytesDone", { type: "ByteCount", description: "Bytes of content done." }),
    bytesTotal: t.expose("bytesTotal", {
      type: "ByteCount",
      nullable: true,
      description: "Bytes in all; null while unknown.",
    }),
    storedBytes: t.expose("storedBytes", { type: "ByteCount", description: "Bytes stored so far, sealed." }),
    currentPath: t.exposeString("currentPath", { nullable: true, description: "The entry at hand." }),
  }),
});

const JobProgressed = builder.objectRef<JobUpdate>("JobProgressed").implement({
  description: "One step of a job.",
  fields: (t) => ({
    cursor: t.string({
      description: "Hand it to `after` to go on from here without a gap.",
      resolve: ({ seq }) => String(seq),
    }),
    job: t.expose("job", { type: Job, description: "The job as it is now." }),
    event: t.field({
      type: JobEvent,
      nullable: true,
      description: "The line of its log that this step is about; null for the present state and for progress.",
      resolve: (update) => (update.kind === "state" ? update.event : null),
    }),
    progress: t.field({
      type: JobProgress,
      nullable: true,
      description: "How far the work is; null for a change of state.",
      resolve: (update) => (update.kind === "progress" ? update.progress : null),
    }),
  }),
});

builder.subscriptionField("jobProgressed", (t) =>
  t.field({
    type: JobProgressed,
    description:
      "A job, live. The first step is its present state (or, with `after`, every line of its log since); it ends after the final state. Lines of the log come once and in order, progress at most 4 times a second.",
    args: {
      jobId: t.arg.id({ required: true, description: "The job." }),
      after: t.arg.string({ description: "The cursor of the last step seen." }),
    },
    subscribe: async (_, { jobId, after }, context) => {
      const job = await findJob(context.hub, context.actor(), jobId);
      if (!job) throw refused(new NotFoundError());
      const seq = after == null ? undefined : parseCursor(after);
      return watchAuthorized(context, job.tenantId, (signal) =>
        context.live.watch(jobId, { signal, ...(seq !== undefined && { after: seq }) }),
      );
    },
    resolve: (update) => update,
  }),
);

/** Asks before every step whether the watcher may still see this tenant, and ends the stream once they may not. */
function watchAuthorized(
  context: PublicContext,
  tenantId: string,
  watch: (signal: AbortSignal) => AsyncIterableIterator<JobUpdate>,
): AsyncIterableIterator<JobUpdate> {
  const ended = new AbortController();
  const updates = watch(ended.signal);
  const done = { done: true, value: undefined } as const;
  return {
    async next() {
      const result = await updates.next();
      if (result.done) return done;
      if (maySee(await context.currentActor(), tenantId)) return result;
      ended.abort();
      return done;
    },
    // Ends a `next()` that is still waiting: the feed's own iterator lets go of it.
    async return() {
      ended.abort();
      await updates.return?.();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function maySee(actor: Actor | null, tenantId: string): boolean {
  return actor !== null && (actor.kind === "system" || actor.roles.has(tenantId));
}

function parseCursor(after: string): number {
  if (!/^\d{1,9}$/.test(after))
    throw refused(new InvalidInputError([{ path: "after", message: "This is no cursor of a job." }]));
  return Number(after);
}

function refused(error: NotFoundError | InvalidInputError): GraphQLError {
  return new GraphQLError(error.message, { extensions: { code: error.code } });
}
