// Backups of schedules that wait for their moment: brought forward by a person, or put off until their window opens again.
import type { Job } from "../prisma/client/client.ts";
import { BackupAlreadyRunningError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { changeJob, ring } from "./queue.ts";
import { planRun } from "./rules/run-plan.ts";

/** Throws `BackupAlreadyRunningError` where it does not wait for its moment, but is under way or queued for a worker. */
export async function beginNow(tx: Transaction, announce: Announcements, { id: jobId }: Job): Promise<Job> {
  const [waiting] = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM jobs WHERE id = ${jobId} AND status = 'QUEUED' AND slot_at IS NOT NULL AND attempt = 0 AND not_before > now()
    FOR UPDATE`;
  if (!waiting) throw new BackupAlreadyRunningError(jobId);
  const job = await changeJob(tx, announce, {
    jobId,
    data: { notBefore: await now(tx), windowEndsAt: null, priority: 5 },
    kind: "brought-forward",
    facts: {},
  });
  await ring(tx, announce, job);
  return job;
}

/** Puts off what nobody began with in the window of its schedule, until that opens again. Safe to run in several hubs at once. */
export function deferLateRuns(hub: Hub): Promise<number> {
  return transact(hub, async (tx, announce) => {
    const late = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM jobs WHERE status = 'QUEUED' AND window_ends_at <= now()
      ORDER BY window_ends_at LIMIT 100 FOR UPDATE SKIP LOCKED`;
    const at = await now(tx);
    for (const { id: jobId } of late) {
      const {
        schedule,
        slotAt,
        notBefore: before,
      } = await tx.job.findUniqueOrThrow({
        where: { id: jobId },
        include: { schedule: true },
      });
      // Whose schedule has ended is bound by nothing any more.
      const plan = schedule && slotAt ? planRun(schedule, slotAt, at) : { notBefore: before, windowEndsAt: null };
      const notBefore = plan.notBefore > before ? plan.notBefore : before;
      const job = await changeJob(tx, announce, {
        jobId,
        data: { notBefore, windowEndsAt: plan.windowEndsAt },
        kind: "deferred",
        facts: { until: notBefore.toISOString() },
      });
      await ring(tx, announce, job);
    }
    return late.length;
  });
}
