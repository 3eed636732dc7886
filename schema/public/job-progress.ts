// A job, live: the present state first, then every event once and in order, and the newest progress in between.
import type { Actor } from "../../domain/actor.ts";
import { InvalidInputError, NotFoundError } from "../../domain/errors.ts";
import { findJob } from "../../domain/jobs.ts";
import { watchAuthorized } from "./authorized-stream.ts";
import { builder } from "./builder.ts";
import type { JobProgressFacts, JobUpdate } from "./context.ts";
import { Job, JobEvent } from "./job.ts";
import { orRefused } from "./refused.ts";

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
    subscribe: (_, { jobId, after }, context) =>
      orRefused(async () => {
        const job = await findJob(context.hub, context.actor(), jobId);
        if (!job) throw new NotFoundError();
        const seq = after == null ? undefined : parseCursor(after);
        return watchAuthorized<JobUpdate>(context, {
          may: (actor, update) => maySee(actor, update?.job.tenantId ?? job.tenantId),
          watch: (signal) => context.live.job.watch(jobId, { signal, ...(seq !== undefined && { after: seq }) }),
        });
      }),
    resolve: (update) => update,
  }),
);

function maySee(actor: Actor, tenantId: string): boolean {
  return actor.kind === "system" || actor.roles.has(tenantId);
}

function parseCursor(after: string): number {
  if (!/^\d{1,9}$/.test(after))
    throw new InvalidInputError([{ path: "after", message: "This is no cursor of a job." }]);
  return Number(after);
}
