// Ends attempts that should have ended by themselves: past their deadline, or asked to stop. Their worker hangs, although it renews its lease.
import { type Hub, transact } from "./hub.ts";
import { endAttempt } from "./leases.ts";

/** So long a worker has to report the end itself, which it knows more about. */
const patienceSeconds = 30;

/** Whatever their workers still report is of an epoch that is over. Safe in several hubs at once. */
export async function sweepOverdue(hub: Hub): Promise<number> {
  return transact(hub, async (tx, announce) => {
    const overdue = await tx.$queryRaw<{ id: string }[]>`
      SELECT id FROM jobs WHERE status IN ('RUNNING', 'FINALIZING')
        AND least(deadline_at, cancel_requested_at) <= now() - make_interval(secs => ${patienceSeconds})
      ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED`;
    for (const { id } of overdue) {
      const job = await tx.job.update({ where: { id }, data: { leaseEpoch: { increment: 1 } } });
      await endAttempt(hub, tx, announce, {
        job,
        code: "TIMEOUT",
        message: "The worker did not come to an end with this job within the time that it may take.",
      });
    }
    return overdue.length;
  });
}
