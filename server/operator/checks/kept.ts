// I9: retention, and whatever else happens, leaves every live source a good snapshot.
import { Prisma } from "../../../prisma/client/client.ts";
import { type Check, findingsOf } from "./check.ts";

/** What a customer asked to be deleted is the customer's own affair: the newest that went decides. */
export const goodOnesAreKept: Check = (grounds) =>
  findingsOf(
    grounds,
    "I9",
    Prisma.sql`
      SELECT c.id AS about, format('None of its %s snapshots is good any more; the newest, %s, is %s.',
          (SELECT count(*) FROM snapshots s WHERE s.tenant_id = c.tenant_id AND s.source_id = c.id),
          newest.id, newest.status) AS sentence
        FROM sources c JOIN tenants t ON t.id = c.tenant_id AND t.status <> 'DELETING'
        JOIN LATERAL (
          SELECT s.id, s.status FROM snapshots s WHERE s.tenant_id = c.tenant_id AND s.source_id = c.id
            ORDER BY s.created_at DESC, s.id DESC LIMIT 1
        ) newest ON true
        WHERE c.deleted_at IS NULL
          AND NOT EXISTS (SELECT FROM snapshots s
            WHERE s.tenant_id = c.tenant_id AND s.source_id = c.id AND s.status = 'COMPLETED')
          AND NOT EXISTS (SELECT FROM audit_events a WHERE a.tenant_id = c.tenant_id AND a.object_id = newest.id
            AND a.verb = 'deleteSnapshot' AND a.after->>'by' IS DISTINCT FROM 'retention')`,
  );
