// Keeps a job that may be what its workers died of from taking others with it: its last attempt is made alone.
import { Prisma } from "../prisma/client/client.ts";
import type { Transaction } from "./hub.ts";

/** A suspect waits for a worker without other work; after so long it is given to a busy one, so that it comes to its end. */
const patienceMinutes = 10;

/**
 * Which of the queued jobs `j` may be given to this worker beside those it holds, as a condition; null where it gets nothing more. A
 * suspect is a job before its last attempt that has lost a worker already, by itself or beside another one that was to blame.
 */
export async function besideHeldJobs(tx: Transaction, workerId: string): Promise<Prisma.Sql | null> {
  const [held] = await tx.$queryRaw<{ jobs: number; suspects: number }[]>`
    SELECT count(*)::int AS jobs, (count(*) FILTER (WHERE workers_lost > 0 AND attempt >= max_attempts))::int AS suspects
    FROM jobs WHERE worker_id = ${workerId} AND status IN ('RUNNING', 'FINALIZING')`;
  if (held && held.suspects > 0) return null;
  if (!held || held.jobs === 0) return Prisma.sql`true`;
  return Prisma.sql`(j.workers_lost = 0 OR j.attempt + 1 < j.max_attempts
    OR j.not_before < now() - make_interval(mins => ${patienceMinutes}::int))`;
}
