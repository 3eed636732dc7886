// Looks for what a transaction that was torn apart would have left in the hub's database: a job without its log, its bell or its record.
import type { Database } from "../../../prisma/connect.ts";

/** By rule, the ids of the rows that break it. Nobody may be working meanwhile, and no bell may be a day old. */
const rules: Record<string, string> = {
  "the log of a job tells every one of its changes": `
    SELECT j.id FROM jobs j LEFT JOIN job_events e ON e.job_id = j.id
     GROUP BY j.id HAVING count(e.seq) <> j.event_seq OR max(e.seq) <> j.event_seq`,
  "the last state in the log is the state of the job": `
    SELECT j.id FROM jobs j CROSS JOIN LATERAL (SELECT e.facts->>'status' AS status FROM job_events e
      WHERE e.job_id = j.id AND e.kind = 'state' ORDER BY e.seq DESC LIMIT 1) last
     WHERE last.status <> j.status::text`,
  "every queueing of a job has its bell": `
    SELECT j.id FROM jobs j WHERE
      (SELECT count(*) FROM job_events e WHERE e.job_id = j.id AND e.kind = 'state' AND e.facts->>'status' = 'QUEUED')
      <> (SELECT count(*) FROM outbox o WHERE o.job_id = j.id)`,
  "every bell has its job":
    "SELECT o.job_id AS id FROM outbox o LEFT JOIN jobs j ON j.id = o.job_id WHERE j.id IS NULL",
  "a completed backup has one snapshot, and no other has any": `
    SELECT j.id FROM jobs j LEFT JOIN snapshots s ON s.job_id = j.id WHERE j.type = 'BACKUP'
     GROUP BY j.id HAVING count(s.id) <> (j.status = 'COMPLETED')::int`,
  "every claim is on record": `
    SELECT j.id FROM jobs j WHERE (SELECT count(*) FROM audit_events a WHERE a.object_id = j.id AND a.verb = 'claimJob')
      <> (SELECT count(*) FROM job_events e WHERE e.job_id = j.id AND e.kind = 'state' AND e.facts->>'status' = 'RUNNING')`,
  "every completed job is so on record, once": `
    SELECT j.id FROM jobs j WHERE j.type IN ('BACKUP', 'TEST_SOURCE')
       AND (SELECT count(*) FROM audit_events a WHERE a.object_id = j.id AND a.verb = 'completeJob')
        <> (j.status = 'COMPLETED')::int`,
};

/** What is broken, in words; empty where nothing is. */
export async function findHalfWritten(db: Database): Promise<string[]> {
  const broken: string[] = [];
  for (const [rule, query] of Object.entries(rules)) {
    const rows = await db.$queryRawUnsafe<{ id: string }[]>(query);
    if (rows.length > 0) broken.push(`${rule}: not so for ${rows.map(({ id }) => id).join(", ")}`);
  }
  return broken;
}
