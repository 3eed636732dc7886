// When sources are due: made, changed, paused, ended. The jobs that follow from it are in due-schedules.ts.
import * as z from "zod";
import type { Prisma, Schedule } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, NotFoundError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { parseInput } from "./input.ts";
import type { Verb } from "./rules/permissions.ts";
import { parsePolicy, type RetentionPolicy, retentionPolicyInput, withoutNulls } from "./rules/retention.ts";
import { jitterFault, planRun } from "./rules/run-plan.ts";
import { nextSlot, nextSlots, type Timetable, timetableFault } from "./rules/schedule.ts";
import { holdSource, requireSource } from "./sources.ts";
import { refuseSuspended } from "./tenants.ts";

/** When something is due, as a customer says it. */
export interface TimetableInput {
  readonly cron?: string | null | undefined;
  readonly intervalMinutes?: number | null | undefined;
  readonly timezone?: string | null | undefined;
  /** Times of the day, `22:00`; twice the same: no window. */
  readonly window?: { readonly from: string; readonly to: string } | null | undefined;
}

/** How its runs are made of its slots. */
interface RunInput {
  readonly jitterMinutes?: number | null | undefined;
  readonly missedRuns?: Schedule["missedRuns"] | null | undefined;
}

type PolicyInput = { readonly [Rule in keyof RetentionPolicy]?: number | null | undefined };

export interface CreateScheduleInput extends TimetableInput, RunInput {
  readonly sourceId: string;
  readonly retention?: PolicyInput | null | undefined;
}

export async function createSchedule(hub: Hub, actor: Actor, input: CreateScheduleInput): Promise<Schedule> {
  const source = await requireSource(hub, actor, input.sourceId);
  const { tenantId, id: sourceId } = source;
  authorize(actor, tenantId, "createSchedule");
  const timetable = parseTimetable(input);
  const jitterMinutes = parseJitter(timetable, input.jitterMinutes ?? 0);
  const retention = parseRetention(input.retention ?? {});
  return transact(hub, async (tx) => {
    await refuseSuspended(tx, tenantId);
    await holdSource(tx, sourceId);
    const at = await now(tx);
    const schedule = await tx.schedule.create({
      data: {
        id: newId("schedule", at),
        tenantId,
        sourceId,
        ...timetable,
        jitterMinutes,
        ...(input.missedRuns && { missedRuns: input.missedRuns }),
        retention,
        nextRunAt: nextSlot(timetable, at),
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "createSchedule",
      objectId: schedule.id,
      after: { sourceId, ...facts(schedule) },
    });
    return schedule;
  });
}

export interface UpdateScheduleInput extends TimetableInput, RunInput {
  readonly scheduleId: string;
  readonly retention?: PolicyInput | null | undefined;
}

/**
 * Changes what is given and keeps the rest: a cron expression takes the place of an interval, and the other way round. A
 * retention policy is replaced as a whole. With another timetable the next run is that one's next slot.
 */
export async function updateSchedule(
  hub: Hub,
  actor: Actor,
  { scheduleId, ...input }: UpdateScheduleInput,
): Promise<Schedule> {
  const { tenantId } = await requireSchedule(hub, actor, scheduleId, "updateSchedule");
  const retention = input.retention ? parseRetention(input.retention) : undefined;
  return transact(hub, async (tx) => {
    const before = await lockSchedule(tx, scheduleId);
    const timetable = parseTimetable(changedTimetable(before, input));
    const jitterMinutes = parseJitter(timetable, input.jitterMinutes ?? before.jitterMinutes);
    const isMoved = timetableKeys.some((key) => timetable[key] !== before[key]);
    const isDue = isMoved && before.status === "ENABLED";
    const schedule = await tx.schedule.update({
      where: { id: scheduleId },
      data: {
        ...timetable,
        jitterMinutes,
        ...(input.missedRuns && { missedRuns: input.missedRuns }),
        ...(retention !== undefined && { retention }),
        ...(isDue && { nextRunAt: nextSlot(timetable, await now(tx)) }),
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "updateSchedule",
      objectId: scheduleId,
      before: facts(before),
      after: facts(schedule),
    });
    return schedule;
  });
}

/** Nothing comes due until it is resumed. A backup under way goes on. */
export function pauseSchedule(hub: Hub, actor: Actor, { scheduleId }: { scheduleId: string }): Promise<Schedule> {
  return changeStatus(hub, actor, scheduleId, "pauseSchedule", "DISABLED");
}

/** Goes on with the next slot from now: those that passed in the meantime are not caught up. */
export function resumeSchedule(hub: Hub, actor: Actor, { scheduleId }: { scheduleId: string }): Promise<Schedule> {
  return changeStatus(hub, actor, scheduleId, "resumeSchedule", "ENABLED");
}

async function changeStatus(
  hub: Hub,
  actor: Actor,
  scheduleId: string,
  verb: "pauseSchedule" | "resumeSchedule",
  status: Schedule["status"],
): Promise<Schedule> {
  const { tenantId } = await requireSchedule(hub, actor, scheduleId, verb);
  return transact(hub, async (tx) => {
    const before = await lockSchedule(tx, scheduleId);
    if (before.status === status) return before;
    const schedule = await tx.schedule.update({
      where: { id: scheduleId },
      data: { status, nextRunAt: status === "ENABLED" ? nextSlot(before, await now(tx)) : null },
    });
    await audit(tx, actor, {
      tenantId,
      verb,
      objectId: scheduleId,
      before: { status: before.status },
      after: { status },
    });
    return schedule;
  });
}

/** Its jobs stay, and say no more what they came of. */
export async function deleteSchedule(hub: Hub, actor: Actor, { scheduleId }: { scheduleId: string }): Promise<string> {
  const { tenantId } = await requireSchedule(hub, actor, scheduleId, "deleteSchedule");
  return transact(hub, async (tx) => {
    const before = await lockSchedule(tx, scheduleId);
    await forget(tx, tenantId, [scheduleId]);
    await audit(tx, actor, {
      tenantId,
      verb: "deleteSchedule",
      objectId: scheduleId,
      before: { sourceId: before.sourceId, ...facts(before), status: before.status },
    });
    return scheduleId;
  });
}

/** Ends what a locked source is due by; returns the ids. */
export async function deleteSchedulesOf(
  tx: Transaction,
  { tenantId, id: sourceId }: { tenantId: string; id: string },
): Promise<string[]> {
  const rows = await tx.schedule.findMany({ where: { tenantId, sourceId }, select: { id: true } });
  const ids = rows.map(({ id }) => id);
  await forget(tx, tenantId, ids);
  return ids;
}

async function forget(tx: Transaction, tenantId: string, ids: string[]): Promise<void> {
  await tx.job.updateMany({ where: { tenantId, scheduleId: { in: ids } }, data: { scheduleId: null, slotAt: null } });
  await tx.schedule.deleteMany({ where: { tenantId, id: { in: ids } } });
}

/** The next slots of a saved timetable, from now on; none of one that is paused. */
export async function nextRuns(hub: Hub, schedule: Schedule, count: number): Promise<Date[]> {
  return schedule.status === "ENABLED" ? nextSlots(schedule, await now(hub.db), countOfRuns(count)) : [];
}

/** The same, each with when it may begin. */
export async function plannedRuns(hub: Hub, schedule: Schedule, count: number): Promise<PlannedRun[]> {
  const slots = await nextRuns(hub, schedule, count);
  return slots.map((slotAt) => ({ slotAt, notBefore: planRun(schedule, slotAt, slotAt).notBefore }));
}

export interface PlannedRun {
  readonly slotAt: Date;
  readonly notBefore: Date;
}

/** When something would be due. Throws `InvalidInputError` for what no schedule could be made of. */
export async function previewSchedule(hub: Hub, input: TimetableInput, count: number): Promise<Date[]> {
  return nextSlots(parseTimetable(input), await now(hub.db), countOfRuns(count));
}

function countOfRuns(count: number): number {
  if (count >= 1 && count <= 50) return count;
  throw new InvalidInputError([{ path: "first", message: "Ask for 1 to 50 runs at once." }]);
}

const timetableKeys = ["cron", "intervalMinutes", "timezone", "windowFrom", "windowTo"] as const;

/** Throws `InvalidInputError`. */
function parseTimetable({ cron, intervalMinutes, timezone, window }: TimetableInput): Required<Timetable> {
  const isOpen = !window || window.from === window.to;
  const timetable = {
    cron: cron?.trim() ?? null,
    intervalMinutes: intervalMinutes ?? null,
    timezone: timezone ?? "UTC",
    windowFrom: isOpen ? null : window.from,
    windowTo: isOpen ? null : window.to,
  };
  refuse("", timetableFault(timetable));
  return timetable;
}

/** Throws `InvalidInputError`. */
function parseJitter(timetable: Timetable, jitterMinutes: number): number {
  refuse("jitterMinutes", jitterFault(timetable, jitterMinutes));
  return jitterMinutes;
}

function refuse(path: string, fault: string | null): void {
  if (fault !== null) throw new InvalidInputError([{ path, message: fault }]);
}

function changedTimetable(
  before: Schedule,
  { cron, intervalMinutes, timezone, window }: TimetableInput,
): TimetableInput {
  const kept = cron == null && intervalMinutes == null ? before : { cron, intervalMinutes };
  return {
    cron: kept.cron,
    intervalMinutes: kept.intervalMinutes,
    timezone: timezone ?? before.timezone,
    window: window ?? windowIn(before),
  };
}

/** The times between which runs may begin; null: all day. */
export function windowIn({ windowFrom: from, windowTo: to }: Schedule): { from: string; to: string } | null {
  return from === null || to === null ? null : { from, to };
}

/** Without the rules that were left out. Throws `InvalidInputError`. */
function parseRetention(input: PolicyInput): RetentionPolicy {
  const { retention } = parseInput(z.object({ retention: retentionPolicyInput }), { retention: withoutNulls(input) });
  const { minAgeDays = 0, maxAgeDays = minAgeDays } = retention;
  if (minAgeDays <= maxAgeDays) return retention;
  throw new InvalidInputError([{ path: "retention.minAgeDays", message: "The least age is not above the greatest." }]);
}

function facts(schedule: Schedule): Prisma.InputJsonObject {
  const { cron, intervalMinutes, timezone, jitterMinutes, missedRuns, retention } = schedule;
  return {
    ...{ cron, intervalMinutes, timezone },
    // What is as it always was needs no words.
    ...(jitterMinutes !== 0 && { jitterMinutes }),
    ...(schedule.windowFrom !== null && { window: windowIn(schedule) }),
    ...(missedRuns !== "CATCH_UP" && { missedRuns }),
    retention: parsePolicy(retention),
  };
}

async function requireSchedule(hub: Hub, actor: Actor, id: string, verb: Verb): Promise<Schedule> {
  const schedule = await findSchedule(hub, actor, id);
  if (!schedule) throw new NotFoundError();
  authorize(actor, schedule.tenantId, verb);
  return schedule;
}

/** Until the transaction ends no slot of it is taken. Throws `NotFoundError` where it was deleted meanwhile. */
async function lockSchedule(tx: Transaction, id: string): Promise<Schedule> {
  await tx.$queryRaw`SELECT id FROM schedules WHERE id = ${id} FOR UPDATE`;
  const schedule = await tx.schedule.findUnique({ where: { id } });
  if (!schedule) throw new NotFoundError();
  return schedule;
}

export function findSchedule(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.ScheduleDefaultArgs = {},
): Promise<Schedule | null> {
  return hub.db.schedule.findFirst({ ...query, where: visibleRow(actor, id) });
}
