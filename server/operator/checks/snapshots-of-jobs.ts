// I2: one snapshot for each completed backup, and none for any other job.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Check, findingsOf } from "./check.ts";

/** The rows of a tenant whose end is due go piece by piece, snapshots before jobs. */
export const oneSnapshotPerBackup: Check = (grounds) =>
  findingsOf(
    grounds,
    "I2",
    Prisma.sql`
      SELECT j.id AS about, 'The backup is completed, and there is no snapshot of it.' AS sentence
        FROM jobs j JOIN tenants t ON t.id = j.tenant_id
        WHERE j.type = 'BACKUP' AND j.status = 'COMPLETED' AND t.status <> 'DELETING'
          AND NOT EXISTS (SELECT FROM snapshots s WHERE s.tenant_id = j.tenant_id AND s.job_id = j.id)
      UNION ALL
      SELECT s.id, format('It was made by a job of type %s that is %s.', j.type, j.status)
        FROM snapshots s JOIN jobs j ON j.tenant_id = s.tenant_id AND j.id = s.job_id
        WHERE j.type <> 'BACKUP' OR j.status <> 'COMPLETED'`,
  );
