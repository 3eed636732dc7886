// When sources are due, and how long what comes of it is kept.
import { isAuthorized } from "../../domain/actor.ts";
import { InvalidInputError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import { type RetentionPolicy as Policy, parsePolicy } from "../../domain/rules/retention.ts";
import {
  createSchedule,
  deleteSchedule,
  findSchedule,
  nextRuns,
  pauseSchedule,
  plannedRuns,
  previewSchedule,
  type PlannedRun as Run,
  resumeSchedule,
  updateSchedule,
  windowIn,
} from "../../domain/schedules.ts";
import {
  MissedRuns as missedRuns,
  SkipReason as skipReasons,
  ScheduleStatus as statuses,
} from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { byAge, listing, ordersOf } from "./listing.ts";
import { Node } from "./node.ts";
import { RetentionPolicyInput } from "./retention-policy.ts";

const ScheduleStatus = builder.enumType("ScheduleStatus", {
  description: "Whether a schedule runs.",
  values: {
    ENABLED: { value: statuses.ENABLED, description: "It does." },
    DISABLED: { value: statuses.DISABLED, description: "It does not." },
  },
});

const MissedRunPolicy = builder.enumType("MissedRunPolicy", {
  description: "What becomes of runs that came due while xVault, or the source, was at rest.",
  values: {
    CATCH_UP: {
      value: missedRuns.CATCH_UP,
      description: "One run makes up for all of them, as soon as it may begin.",
    },
    SKIP: {
      value: missedRuns.SKIP,
      description: "Those more than 15 minutes late are skipped: the next one is at its own time.",
    },
  },
});

const ScheduleSkipReason = builder.enumType("ScheduleSkipReason", {
  description: "Why a run was skipped.",
  values: {
    BACKUP_UNDER_WAY: {
      value: skipReasons.BACKUP_UNDER_WAY,
      description: "Another backup of the source had not ended yet: a source has one at a time.",
    },
    MISSED: {
      value: skipReasons.MISSED,
      description: "It came due while xVault, or the source, was at rest: see `MissedRunPolicy`.",
    },
  },
});

const RunWindow = builder.objectRef<{ from: string; to: string }>("RunWindow").implement({
  description: "The part of the day in which runs may begin.",
  fields: (t) => ({
    from: t.exposeString("from", { description: "From this time on, such as 22:00, in the schedule's timezone." }),
    to: t.exposeString("to", { description: "To before this time; of the next day where it is the lesser one." }),
  }),
});

const RunWindowInput = builder.inputType("RunWindowInput", {
  description:
    "The part of the day in which runs may begin, in the schedule's timezone. A timetable has no runs outside it, and a run that could not begin within it waits for the next one. One under way goes on after it. The same time twice: the whole day.",
  fields: (t) => ({
    from: t.string({ required: true, description: "From this time on, such as 22:00." }),
    to: t.string({
      required: true,
      description: "To before this time, such as 06:00; past midnight where it is the lesser one.",
    }),
  }),
});

const PlannedRun = builder.objectRef<Run>("PlannedRun").implement({
  description: "A run that is to come.",
  fields: (t) => ({
    dueAt: t.expose("slotAt", { type: "DateTime", description: "When it is due." }),
    notBefore: t.expose("notBefore", {
      type: "DateTime",
      description: "When it may begin: when it is due, and its share of the spread.",
    }),
  }),
});

const rules = {
  keepLast: "This many of the newest.",
  keepHourly: "The newest of each of the last hours that have one, this many.",
  keepDaily: "The same of days, in the schedule's timezone.",
  keepWeekly: "The same of weeks, from Monday on.",
  keepMonthly: "The same of months.",
  keepYearly: "The same of years.",
  minAgeDays: "Nothing younger than this goes, whatever the rest says.",
  maxAgeDays: "Nothing older than this is counted in the above; by itself: everything younger is kept.",
} as const satisfies Record<keyof Policy, string>;

const RetentionPolicy = builder.objectRef<Policy>("RetentionPolicy").implement({
  description:
    "Which snapshots of a source are kept: whatever any of these says; null: it says nothing. Where none does, everything is kept.",
  fields: (t) => {
    const rule = (name: keyof Policy) =>
      t.int({ nullable: true, description: rules[name], resolve: (policy) => policy[name] ?? null });
    return {
      keepLast: rule("keepLast"),
      keepHourly: rule("keepHourly"),
      keepDaily: rule("keepDaily"),
      keepWeekly: rule("keepWeekly"),
      keepMonthly: rule("keepMonthly"),
      keepYearly: rule("keepYearly"),
      minAgeDays: rule("minAgeDays"),
      maxAgeDays: rule("maxAgeDays"),
    };
  },
});

const cronHelp =
  "Five fields (minute, hour, day of month, month, day of week), or one of @hourly, @daily, @weekly, @monthly and @yearly.";

const firstRuns = { defaultValue: 5, description: "How many, 1 to 50." } as const;
/** Each slot is reckoned anew. */
const costOfRuns = ({ first }: { first: number }) => ({ field: Math.max(1, first), multiplier: Math.max(1, first) });

export const Schedule = builder.prismaObject("Schedule", {
  description: "When a source is due.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`sch_…`" }),
    cron: t.exposeString("cron", {
      nullable: true,
      description: "Five fields, or a name such as @daily; null where an interval is set.",
    }),
    intervalMinutes: t.exposeInt("intervalMinutes", {
      nullable: true,
      description: "Minutes from one run to the next, counted from the beginning of 1970 in UTC.",
    }),
    timezone: t.exposeString("timezone", {
      description: "The IANA timezone that the cron expression and the window are read in.",
    }),
    jitterMinutes: t.exposeInt("jitterMinutes", {
      description: "Runs begin spread over so many minutes from when they are due; 0: at once.",
    }),
    window: t.field({
      type: RunWindow,
      nullable: true,
      description: "The part of the day in which runs may begin; null: all of it.",
      resolve: windowIn,
    }),
    missedRuns: t.expose("missedRuns", {
      type: MissedRunPolicy,
      description: "What becomes of runs that came due while xVault, or the source, was at rest.",
    }),
    status: t.expose("status", { type: ScheduleStatus, description: "Whether it runs." }),
    retention: t.field({
      type: RetentionPolicy,
      description: "Which snapshots of the source are kept.",
      resolve: ({ retention }) => parsePolicy(retention),
    }),
    nextRunAt: t.expose("nextRunAt", {
      type: "DateTime",
      nullable: true,
      description: "When it is due next; null while it is paused.",
    }),
    nextRuns: t.field({
      type: ["DateTime"],
      description: "When it is due from now on, in UTC; none while it is paused.",
      args: { first: t.arg.int({ required: true, ...firstRuns }) },
      complexity: costOfRuns,
      resolve: (schedule, { first }, { hub }) => nextRuns(hub, schedule, first),
    }),
    plannedRuns: t.field({
      type: [PlannedRun],
      description: "The runs of `nextRuns`, each with when it may begin; none while it is paused.",
      args: { first: t.arg.int({ required: true, ...firstRuns }) },
      complexity: costOfRuns,
      resolve: (schedule, { first }, { hub }) => plannedRuns(hub, schedule, first),
    }),
    skippedRuns: t.exposeInt("skippedSlots", {
      description: "How many runs were skipped so far. Of those missed in a row, a thousand at most are counted.",
    }),
    lastSkippedAt: t.expose("lastSkippedAt", {
      type: "DateTime",
      nullable: true,
      description: "When that was last so; null where none ever was.",
    }),
    lastSkipReason: t.expose("lastSkipReason", {
      type: ScheduleSkipReason,
      nullable: true,
      description: "Why, the last time.",
    }),
    lastRunAt: t.expose("lastSlotAt", {
      type: "DateTime",
      nullable: true,
      description: "The slot that it last came due at; null before the first.",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", description: "When it was last changed, or came due." }),
    viewerCanUpdate: t.boolean({
      description: "Whether you may change, pause, resume and end it.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "updateSchedule"),
    }),
  }),
});

const ScheduleConnection = builder.connectionObject(
  { type: Schedule, name: "ScheduleConnection", description: "A page of schedules: 20 by default, 100 at most." },
  { name: "ScheduleEdge", description: "A schedule on its page." },
);

const ScheduleFilterInput = builder.inputType("ScheduleFilterInput", {
  description: "Which schedules: those that everything said here is true of.",
  fields: (t) => ({
    statuses: t.field({ type: [ScheduleStatus], description: "In one of these states." }),
    sourceId: t.id({ description: "Of this source." }),
  }),
});

export const scheduleList = listing({
  model: "Schedule",
  connection: ScheduleConnection,
  filter: ScheduleFilterInput,
  orders: ordersOf("Schedule", byAge),
  where: ({ statuses, sourceId }) => ({
    ...(statuses && { status: { in: statuses } }),
    ...(sourceId && { sourceId }),
  }),
});

builder.queryField("schedule", (t) =>
  t.prismaField({
    type: Schedule,
    nullable: true,
    description: "A schedule by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`sch_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findSchedule(hub, actor(), id, query),
  }),
);

const jitterHelp =
  "Spreads the beginnings of runs over so many minutes, 0 to 1440, fewer than lie between two runs; each schedule and run has a share of its own, so that not everything begins at once.";

const SchedulePreview = builder.objectRef<{ runs: Date[] }>("SchedulePreview").implement({
  description: "What a timetable comes to.",
  fields: (t) => ({
    runs: t.expose("runs", { type: ["DateTime"], description: "When it would be due from now on, in UTC." }),
  }),
});

const TimetableInput = builder.inputType("TimetableInput", {
  description: "When something is due: either a cron expression or an interval.",
  fields: (t) => ({
    cron: t.string({ description: cronHelp }),
    intervalMinutes: t.int({ description: "Minutes from one run to the next, 1 to 527040." }),
    timezone: t.string({ description: "An IANA timezone; UTC where none is given." }),
    window: t.field({ type: RunWindowInput, description: "When runs may begin; at any time where nothing is said." }),
  }),
});

builder.queryField("previewSchedule", (t) =>
  t.field({
    type: SchedulePreview,
    description: "When a timetable would be due, before a schedule is made of it.",
    args: {
      input: t.arg({ type: TimetableInput, required: true, description: "The timetable." }),
      first: t.arg.int({ required: true, ...firstRuns }),
    },
    errors: { types: [InvalidInputError] },
    complexity: costOfRuns,
    resolve: async (_, { input, first }, { hub, actor }) => {
      actor();
      return { runs: await previewSchedule(hub, input, first) };
    },
  }),
);

builder.relayMutationField(
  "createSchedule",
  {
    description: "A new schedule: either a cron expression or an interval.",
    inputFields: (t) => ({
      sourceId: t.id({ required: true, description: "What is due." }),
      cron: t.string({ description: cronHelp }),
      intervalMinutes: t.int({ description: "Minutes from one run to the next, 1 to 527040." }),
      timezone: t.string({ description: "An IANA timezone; UTC where none is given." }),
      window: t.field({ type: RunWindowInput, description: "When runs may begin; at any time where nothing is said." }),
      jitterMinutes: t.int({ description: `${jitterHelp} 0 where nothing is said.` }),
      missedRuns: t.field({
        type: MissedRunPolicy,
        description: "What becomes of missed runs; CATCH_UP where nothing is said.",
      }),
      retention: t.field({
        type: RetentionPolicyInput,
        description: "Which snapshots are to be kept; all where nothing is said.",
      }),
    }),
  },
  {
    description: "Makes a schedule; its first run is at the next slot.",
    errors: { types: [NotFoundError, InvalidInputError, TenantSuspendedError] },
    resolve: async (_, { input }, { hub, actor }) => ({ schedule: await createSchedule(hub, actor(), input) }),
  },
  {
    description: "The schedule that was made.",
    outputFields: (t) => ({ schedule: t.expose("schedule", { type: Schedule, description: "It." }) }),
  },
);

builder.relayMutationField(
  "updateSchedule",
  {
    description: "Changes to a schedule; what is left out stays.",
    inputFields: (t) => ({
      scheduleId: t.id({ required: true, description: "Which." }),
      cron: t.string({ description: `${cronHelp} Takes the place of an interval.` }),
      intervalMinutes: t.int({
        description: "Minutes from one run to the next. Takes the place of a cron expression.",
      }),
      timezone: t.string({ description: "An IANA timezone." }),
      window: t.field({ type: RunWindowInput, description: "When runs may begin; the same time twice: at any time." }),
      jitterMinutes: t.int({ description: jitterHelp }),
      missedRuns: t.field({ type: MissedRunPolicy, description: "What becomes of missed runs." }),
      retention: t.field({ type: RetentionPolicyInput, description: "Which snapshots are to be kept, as a whole." }),
    }),
  },
  {
    description: "Changes a schedule. With another timetable its next run is that one's next slot.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ schedule: await updateSchedule(hub, actor(), input) }),
  },
  {
    description: "The schedule that was changed.",
    outputFields: (t) => ({ schedule: t.expose("schedule", { type: Schedule, description: "It." }) }),
  },
);

for (const [verb, act, description, changed] of [
  ["pauseSchedule", pauseSchedule, "Lets nothing come due until it is resumed.", "is paused"],
  [
    "resumeSchedule",
    resumeSchedule,
    "Goes on with the next slot from now; those that passed in the meantime are not caught up.",
    "runs",
  ],
] as const)
  builder.relayMutationField(
    verb,
    {
      description: "A schedule, and whether it runs.",
      inputFields: (t) => ({ scheduleId: t.id({ required: true, description: "Which." }) }),
    },
    {
      description,
      errors: { types: [NotFoundError] },
      resolve: async (_, { input }, { hub, actor }) => ({ schedule: await act(hub, actor(), input) }),
    },
    {
      description: `The schedule that ${changed}.`,
      outputFields: (t) => ({ schedule: t.expose("schedule", { type: Schedule, description: "It." }) }),
    },
  );

builder.relayMutationField(
  "deleteSchedule",
  {
    description: "A schedule that is to end.",
    inputFields: (t) => ({ scheduleId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "Ends a schedule. The jobs that came of it stay.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ scheduleId: await deleteSchedule(hub, actor(), input) }),
  },
  {
    description: "What ended.",
    outputFields: (t) => ({ scheduleId: t.exposeID("scheduleId", { description: "Its id." }) }),
  },
);
