// The jobs of the slots that have come.
import type { Job } from "../prisma/client/client.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { findActiveBackup } from "./jobs.ts";
import { changeJob, createJob } from "./queue.ts";
import { remainingBytes } from "./quotas.ts";
import type { FailureCode } from "./rules/failures.ts";
import { nextSlot } from "./rules/schedule.ts";

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
        JOIN sources c ON c.id = s.source_id AND c.status = 'ACTIVE' AND c.deleted_at IS NULL
      WHERE s.status = 'ENABLED' AND s.next_run_at <= now()
      ORDER BY s.next_run_at LIMIT 100
      FOR UPDATE OF s SKIP LOCKED FOR SHARE OF c SKIP LOCKED`;
    let made = 0;
    for (const { id } of due) {
      const schedule = await tx.schedule.findUniqueOrThrow({ where: { id } });
      const slotAt = schedule.nextRunAt;
      if (!(await findActiveBackup(tx, schedule.tenantId, schedule.sourceId))) {
        const job = await createJob(tx, announce, {
          tenantId: schedule.tenantId,
          type: "BACKUP",
          sourceId: schedule.sourceId,
          scheduleId: schedule.id,
          slotAt,
        });
        await failWhereFull(tx, announce, job);
        made++;
      }
      await tx.schedule.update({ where: { id }, data: { lastSlotAt: slotAt, nextRunAt: nextSlot(schedule, at) } });
    }
    return made;
  });
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
    data: {
      status: "FAILED",
      endedAt: await now(tx),
      errorCode: failure.code,
      errorMessage: failure.message,
    },
    kind: "state",
    facts: { status: "FAILED", ...failure },
  });
}
