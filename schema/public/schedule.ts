// When sources are due.
import { InvalidInputError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import { createSchedule, findSchedule } from "../../domain/schedules.ts";
import { ScheduleStatus as statuses } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { byAge, listing, ordersOf } from "./listing.ts";
import { Node } from "./node.ts";

const ScheduleStatus = builder.enumType("ScheduleStatus", {
  description: "Whether a schedule runs.",
  values: {
    ENABLED: { value: statuses.ENABLED, description: "It does." },
    DISABLED: { value: statuses.DISABLED, description: "It does not." },
  },
});

const Schedule = builder.prismaObject("Schedule", {
  description: "When a source is due.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`sch_…`" }),
    cron: t.exposeString("cron", { nullable: true, description: "Five fields; null where an interval is set." }),
    intervalMinutes: t.exposeInt("intervalMinutes", {
      nullable: true,
      description: "Minutes from one run to the next.",
    }),
    timezone: t.exposeString("timezone", { description: "The IANA timezone that the cron expression is read in." }),
    status: t.expose("status", { type: ScheduleStatus, description: "Whether it runs." }),
    nextRunAt: t.expose("nextRunAt", { type: "DateTime", nullable: true, description: "When it is due next." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
  }),
});

const ScheduleConnection = builder.connectionObject(
  { type: Schedule, name: "ScheduleConnection", description: "A page of schedules: 20 by default, 100 at most." },
  { name: "ScheduleEdge", description: "A schedule on its page." },
);

export const scheduleList = listing({
  model: "Schedule",
  connection: ScheduleConnection,
  orders: ordersOf("Schedule", byAge),
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

builder.relayMutationField(
  "createSchedule",
  {
    description: "A new schedule: either a cron expression or an interval.",
    inputFields: (t) => ({
      sourceId: t.id({ required: true, description: "What is due." }),
      cron: t.string({ description: "Five fields: minute, hour, day of month, month, day of week." }),
      intervalMinutes: t.int({ description: "Minutes from one run to the next, 1 to 527040." }),
      timezone: t.string({ description: "An IANA timezone; UTC where none is given." }),
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
