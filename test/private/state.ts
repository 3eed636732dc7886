// Everything that a command of the data plane could have changed, to be compared before and after.
import type { Database } from "../../prisma/connect.ts";

/** The rows themselves, in an order of their own; workers apart, who are heard of all the time. */
export function everything(db: Database): Promise<unknown> {
  return db.$queryRaw`
    SELECT (SELECT jsonb_agg(to_jsonb(j) ORDER BY j.id) FROM jobs j) AS jobs,
           (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.job_id, e.seq) FROM job_events e) AS events,
           (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.id) FROM snapshots s) AS snapshots,
           (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM restores r) AS restores,
           (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.id) FROM sources s) AS sources,
           (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM tenants t) AS tenants,
           (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM audit_events a) AS audit,
           (SELECT jsonb_agg(to_jsonb(o) - 'rung_at' ORDER BY o.id) FROM outbox o) AS outbox`;
}

/** Ends whatever is queued or under way, so that the next test begins with an empty queue. */
export async function emptyQueue(db: Database): Promise<void> {
  await db.$executeRaw`UPDATE jobs SET status = 'CANCELED' WHERE status IN ('QUEUED', 'RUNNING', 'FINALIZING')`;
}

/** Makes the lease of a job run out, as time would. */
export async function expireLease(db: Database, jobId: string): Promise<void> {
  await db.$executeRaw`UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE id = ${jobId}`;
}
