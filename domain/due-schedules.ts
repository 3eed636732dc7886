// The jobs of the slots that have come.
import type { Job, Prisma, Schedule } from "../prisma/client/client.ts";
import { isUniqueViolation } from "../prisma/failures.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { findActiveBackup } from "./jobs.ts";
import { changeJob, createJob } from "./queue.ts";
import { remainingBytes } from "./quotas.ts";
import type { FailureCode } from "./rules/failures.ts";
import { planRun } from "./rules/run-plan.ts";
import { countSlots, nextSlot } from "./rules/schedule.ts";

/** A slot that nobody saw to for so long was missed, and not merely seen to between two rounds. */
const missedAfterMs = 15 * 60_000;
/** More than that are not counted one by one. */
const countedAtOnce = 1_000;

/**
 * Makes the jobs of every slot that has come; returns how many. Safe to run in several hubs at once: rows are locked, and a slot is
 * unique in the database. Missed slots are caught up once, or not at all where the schedule says so; a slot that comes while a backup of
 * the source is under way is skipped. What is skipped is counted on the schedule. Each schedule has a transaction of its own, so that
 * one that fails keeps no other waiting. Throws `AggregateError` in the end where some failed.
 */
export async function runDueSchedules(hub: Hub): Promise<number> {
  const due = await hub.db.$queryRaw<{ id: string }[]>`
    SELECT s.id FROM schedules s
      JOIN tenants t ON t.id = s.tenant_id AND t.status = 'ACTIVE'
      JOIN sources c ON c.id = s.source_id AND c.status = 'ACTIVE' AND c.deleted_at IS NULL
    WHERE s.status = 'ENABLED' AND s.next_run_at <= now()
    ORDER BY s.next_run_at LIMIT 500`;
  let made = 0;
  const failures: unknown[] = [];
  for (const { id } of due) {
    try {
      if (await runDueSchedule(hub, id)) made++;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} of ${due.length} due schedules failed`);
  return made;
}

/** Whether it made a job. */
async function runDueSchedule(hub: Hub, id: string): Promise<boolean> {
  try {
    return await transact(hub, (tx, announce) => takeSlot(tx, announce, id));
  } catch (error) {
    // Somebody began a backup of the source in this very moment: the next look finds it.
    if (!isUniqueViolation(error)) throw error;
    return transact(hub, (tx, announce) => takeSlot(tx, announce, id));
  }
}

async function takeSlot(tx: Transaction, announce: Announcements, id: string): Promise<boolean> {
  const [locked] = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM schedules s
      JOIN tenants t ON t.id = s.tenant_id AND t.status = 'ACTIVE'
      JOIN sources c ON c.id = s.source_id AND c.status = 'ACTIVE' AND c.deleted_at IS NULL
    WHERE s.id = ${id} AND s.status = 'ENABLED' AND s.next_run_at <= now()
    FOR UPDATE OF s SKIP LOCKED FOR SHARE OF c SKIP LOCKED`;
  if (!locked) return false;
  const schedule = await tx.schedule.findUniqueOrThrow({ where: { id } });
  const slotAt = schedule.nextRunAt;
  if (!slotAt) return false;
  const at = await now(tx);
  const missed = countSlots(schedule, { after: slotAt, until: at, most: countedAtOnce });
  const skipReason = await whyToSkip(tx, schedule, slotAt, at);
  if (skipReason === null) {
    const { tenantId, sourceId } = schedule;
    const plan = planRun(schedule, slotAt, at);
    const job = await createJob(tx, announce, {
      ...{ tenantId, type: "BACKUP", sourceId, scheduleId: id, slotAt },
      ...plan,
    });
    await failWhereFull(tx, announce, job);
  }
  await tx.schedule.update({
    where: { id },
    data: {
      lastSlotAt: slotAt,
      nextRunAt: nextSlot(schedule, at),
      ...skipped(schedule, { at, count: missed + (skipReason === null ? 0 : 1), reason: skipReason ?? "MISSED" }),
    },
  });
  return skipReason === null;
}

/** Why a slot makes no job, or null. */
async function whyToSkip(
  tx: Transaction,
  { tenantId, sourceId, missedRuns }: Schedule,
  slotAt: Date,
  at: Date,
): Promise<Schedule["lastSkipReason"]> {
  if (missedRuns === "SKIP" && at.getTime() - slotAt.getTime() > missedAfterMs) return "MISSED";
  return (await findActiveBackup(tx, tenantId, sourceId)) ? "BACKUP_UNDER_WAY" : null;
}

function skipped(
  { skippedSlots }: Schedule,
  { at, count, reason }: { at: Date; count: number; reason: NonNullable<Schedule["lastSkipReason"]> },
): Prisma.ScheduleUncheckedUpdateInput {
  return count === 0 ? {} : { skippedSlots: skippedSlots + count, lastSkippedAt: at, lastSkipReason: reason };
}

/** A slot that the tenant's plan leaves no room for is not passed over in silence: its job says why. */
async function failWhereFull(tx: Transaction, announce: Announcements, { id: jobId, tenantId }: Job): Promise<void> {
  const tenant = await tx.tenant.findUniqueOrThrow({ where: { id: tenantId } });
  if ((await remainingBytes(tx, tenant)) !== 0n) return;
  const failure = {
    code: "QUOTA_EXCEEDED" satisfies FailureCode,
    message: "Your plan leaves no room for more backups.",
  };
  await changeJob(tx, announce, {
    jobId,
    data: { status: "FAILED", endedAt: await now(tx), errorCode: failure.code, errorMessage: failure.message },
    kind: "state",
    facts: { status: "FAILED", ...failure },
  });
}
