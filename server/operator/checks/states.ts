// I8: every state in a job's log may follow the one before it, and the counters of jobs fit together.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Check, findingsOf } from "./check.ts";

export const statesGoForward: Check = (grounds) =>
  findingsOf(
    grounds,
    "I8",
    Prisma.sql`
      SELECT job_id AS about, format('Its log goes from %s to %s.', COALESCE(before, 'nothing'), status) AS sentence
        FROM (
          SELECT job_id, facts->>'status' AS status,
            lag(facts->>'status') OVER (PARTITION BY job_id ORDER BY seq) AS before
          FROM job_events WHERE kind = 'state'
        ) moves
        WHERE NOT CASE
          WHEN before IS NULL THEN status = 'QUEUED'
          WHEN before = 'QUEUED' THEN status IN ('RUNNING', 'FAILED', 'CANCELED')
          WHEN before = 'RUNNING' THEN status IN ('FINALIZING', 'COMPLETED', 'FAILED', 'CANCELED', 'QUEUED')
          WHEN before = 'FINALIZING' THEN status IN ('COMPLETED', 'FAILED', 'CANCELED', 'QUEUED')
          ELSE false END
      UNION ALL
      SELECT id, format('It is at attempt %s of %s.', attempt, max_attempts) FROM jobs WHERE attempt > max_attempts
      UNION ALL
      SELECT id, format('It has had %s attempts under %s leases.', attempt, lease_epoch) FROM jobs WHERE attempt > lease_epoch
      UNION ALL
      SELECT id, format('It is %s, and %s.', status,
          CASE WHEN ended_at IS NULL THEN 'has no end' ELSE 'has ended' END)
        FROM jobs WHERE (status IN ('COMPLETED', 'FAILED', 'CANCELED')) <> (ended_at IS NOT NULL)
      UNION ALL
      SELECT id, 'It has ended, and somebody still holds it.' FROM jobs
        WHERE status IN ('QUEUED', 'COMPLETED', 'FAILED', 'CANCELED') AND lease_expires_at IS NOT NULL
      UNION ALL
      SELECT id, 'It is deleted, and nobody knows when.' FROM snapshots WHERE status = 'DELETED' AND deleted_at IS NULL`,
  );
