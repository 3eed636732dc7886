// I10: whatever the rows say was done, the record says as well, once.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Check, findingsOf } from "./check.ts";

/**
 * Jobs of schedules answer for a slot, which is unique; deletions are on record with their snapshot, and tests with their source;
 * checks of snapshots are the platform's own idea. All others somebody began.
 */
export const allIsOnRecord: Check = (grounds) =>
  findingsOf(
    grounds,
    "I10",
    Prisma.sql`
      SELECT j.id AS about, format('The job is completed, and that is on record %s times.', count(a.id)) AS sentence
        FROM jobs j LEFT JOIN audit_events a ON a.tenant_id = j.tenant_id AND a.object_id = j.id
          AND a.verb = CASE WHEN j.type = 'RESTORE' THEN 'completeRestore' ELSE 'completeJob' END
        WHERE j.status = 'COMPLETED' GROUP BY j.id HAVING count(a.id) <> 1
      UNION ALL
      SELECT object_id, format('Its lease %s was given out %s times.', after->>'leaseEpoch', count(*))
        FROM audit_events WHERE verb = 'claimJob' GROUP BY object_id, after->>'leaseEpoch' HAVING count(*) > 1
      UNION ALL
      SELECT j.id, format('It has had %s attempts, and %s claims are on record.', j.attempt, count(a.id))
        FROM jobs j LEFT JOIN audit_events a
          ON a.tenant_id = j.tenant_id AND a.object_id = j.id AND a.verb = 'claimJob'
        GROUP BY j.id HAVING count(a.id) < j.attempt
      UNION ALL
      SELECT j.id, 'Nobody is on record as having begun it.'
        FROM jobs j WHERE j.type IN ('BACKUP', 'RESTORE') AND j.schedule_id IS NULL
          AND NOT EXISTS (SELECT FROM audit_events a WHERE a.tenant_id = j.tenant_id
            AND (a.object_id = j.id OR a.after->>'jobId' = j.id OR a.object_id = (
              SELECT r.id FROM restores r WHERE r.tenant_id = j.tenant_id AND r.job_id = j.id))
            AND a.verb NOT IN ('claimJob', 'claimSecrets', 'completeJob', 'completeRestore', 'failJob', 'releaseJob', 'cancelJob'))
      UNION ALL
      SELECT object_id, format('%s is on record %s times for it.', verb, count(*))
        FROM audit_events WHERE verb IN ('startBackup', 'startRestore', 'testSourceDraft')
        GROUP BY object_id, verb HAVING count(*) > 1
      UNION ALL
      SELECT s.id, 'It is deleted, and no job of its deletion is completed.'
        FROM snapshots s JOIN tenants t ON t.id = s.tenant_id AND t.status <> 'DELETING'
        WHERE s.status = 'DELETED' AND NOT EXISTS (SELECT FROM jobs j WHERE j.tenant_id = s.tenant_id
          AND j.target_snapshot_id = s.id AND j.type = 'DELETE_SNAPSHOT' AND j.status = 'COMPLETED')`,
  );
