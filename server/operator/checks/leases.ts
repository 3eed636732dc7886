// I3: whoever fell silent with a job has lost it, and somebody has noticed.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Check, findingsOf } from "./check.ts";

export const leasesLive: Check = (grounds) =>
  findingsOf(
    grounds,
    "I3",
    Prisma.sql`
      SELECT id AS about, CASE WHEN lease_expires_at IS NULL THEN format('The job is %s, and nobody holds it.', status)
          ELSE format('The job is %s, and its lease ended %s s ago.', status,
            round(extract(epoch FROM now() - lease_expires_at))) END AS sentence
        FROM jobs WHERE status IN ('RUNNING', 'FINALIZING')
          AND COALESCE(lease_expires_at, 'epoch') < now() - make_interval(secs => ${2 * grounds.leaseSeconds})
      UNION ALL
      SELECT r.id, 'The restore is being prepared by a job that has ended.'
        FROM restores r JOIN jobs j ON j.tenant_id = r.tenant_id AND j.id = r.job_id
        WHERE r.status = 'PREPARING' AND j.status IN ('COMPLETED', 'FAILED', 'CANCELED')`,
  );
