// When sources are due, and the jobs that follow from it.
import type { Prisma, Schedule } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError } from "./errors.ts";
import { type Hub, now, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { findActiveBackup } from "./jobs.ts";
import { createJob } from "./queue.ts";
import { nextSlot, timetableFault } from "./rules/schedule.ts";
import { requireSource } from "./sources.ts";
import { refuseSuspended } from "./tenants.ts";

export interface CreateScheduleInput {
  readonly sourceId: string;
  readonly cron?: string | null | undefined;
  readonly intervalMinutes?: number | null | undefined;
  readonly timezone?: string | null | undefined;
}

export async function createSchedule(hub: Hub, actor: Actor, input: CreateScheduleInput): Promise<Schedule> {
  const source = await requireSource(hub, actor, input.sourceId);
  authorize(actor, source.tenantId, "createSchedule");
  const timetable = {
    cron: input.cron?.trim() ?? null,
    intervalMinutes: input.intervalMinutes ?? null,
    timezone: input.timezone ?? "UTC",
  };
  const fault = timetableFault(timetable);
  if (fault) throw new InvalidInputError([{ path: "", message: fault }]);
  return transact(hub, async (tx) => {
    await refuseSuspended(tx, source.tenantId);
    const at = await now(tx);
    const schedule = await tx.schedule.create({
      data: {
        id: newId("schedule", at),
        tenantId: source.tenantId,
        sourceId: source.id,
        ...timetable,
        nextRunAt: nextSlot(timetable, at),
      },
    });
    await audit(tx, actor, {
      tenantId: source.tenantId,
      verb: "createSchedule",
      objectId: schedule.id,
      after: { sourceId: source.id, ...timetable },
    });
    return schedule;
  });
}

/**
 * Makes the jobs of every slot that has come. Safe to run in several hubs at once: rows are locked, and a slot is unique in the
 * database. Missed slots are caught up once; a slot that comes while a backup of the source is under way is passed over.
 */
export async function runDueSchedules(hub: Hub): Promise<number> {
  return transact(hub, async (tx, announce) => {
    const at = await now(tx);
    const due = await tx.$queryRaw<{ id: string }[]>`
      SELECT s.id FROM schedules s
        JOIN tenants t ON t.id = s.tenant_id AND t.status = 'ACTIVE'
        JOIN sources c ON c.id = s.source_id AND c.status = 'ACTIVE'
      WHERE s.status = 'ENABLED' AND s.next_run_at <= now()
      ORDER BY s.next_run_at LIMIT 100 FOR UPDATE OF s SKIP LOCKED`;
    let made = 0;
    for (const { id } of due) {
      const schedule = await tx.schedule.findUniqueOrThrow({ where: { id } });
      const slotAt = schedule.nextRunAt;
      if (!(await findActiveBackup(tx, schedule.tenantId, schedule.sourceId))) {
        await createJob(tx, announce, {
          tenantId: schedule.tenantId,
          type: "BACKUP",
          sourceId: schedule.sourceId,
          scheduleId: schedule.id,
          slotAt,
        });
        made++;
      }
      await tx.schedule.update({ where: { id }, data: { lastSlotAt: slotAt, nextRunAt: nextSlot(schedule, at) } });
    }
    return made;
  });
}

export function findSchedule(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.ScheduleDefaultArgs = {},
): Promise<Schedule | null> {
  return hub.db.schedule.findFirst({ ...query, where: visibleRow(actor, id) });
}
