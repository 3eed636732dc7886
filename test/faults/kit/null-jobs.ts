// Jobs without a source behind them, and what must be true of them once they are done.
import assert from "node:assert/strict";
import type { Hub } from "../../../domain/hub.ts";
import { transact } from "../../../domain/hub.ts";
import { newId } from "../../../domain/ids.ts";
import { createJobs } from "../../../domain/queue.ts";
import type { Database } from "../../../prisma/connect.ts";

const silent = { jobChanged() {}, snapshotsChanged() {}, workersChanged() {}, jobDue() {} };
const draft = {
  type: "SFTP",
  config: { host: "files.example.com", username: "backup", path: "/srv" },
  credentialId: null,
};

/** So many tenants, without people and keys. */
export async function makeTenants(db: Database, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId("tenant", new Date()));
  await db.tenant.createMany({ data: ids.map((id) => ({ id, name: id })) });
  return ids;
}

/** Queues so many tests of drafts, in turn for each tenant, with their bells; returns their ids. */
export async function queueNullJobs(db: Database, tenantIds: readonly string[], count: number): Promise<string[]> {
  const hub = { db, announce: silent } as unknown as Hub;
  const ids: string[] = [];
  while (ids.length < count) {
    const jobs = Array.from({ length: Math.min(500, count - ids.length) }, (_, nth) => ({
      ...{ tenantId: tenantIds[nth % tenantIds.length] ?? "", type: "TEST_SOURCE" as const, sourceDraft: draft },
    }));
    const made = await transact(hub, (tx, announce) => createJobs(tx, announce, jobs));
    ids.push(...made.map(({ id }) => id));
  }
  return ids;
}

/** Every one claimed once an epoch and completed once, by the rows, the log and the audit. */
export async function assertDoneOnce(db: Database, jobIds: readonly string[]): Promise<void> {
  const rows = await db.$queryRaw<{ wrong: string; jobs: number }[]>`
    SELECT wrong, count(*)::int AS jobs FROM (
      SELECT CASE
        WHEN j.status IS DISTINCT FROM 'COMPLETED' THEN 'not completed: ' || COALESCE(j.status::text, 'lost')
        WHEN (SELECT count(*) FROM audit_events a WHERE a.tenant_id = j.tenant_id AND a.object_id = j.id AND a.verb = 'claimJob')
          <> (SELECT count(DISTINCT a.after->>'leaseEpoch') FROM audit_events a
            WHERE a.tenant_id = j.tenant_id AND a.object_id = j.id AND a.verb = 'claimJob') THEN 'claimed twice in one epoch'
        WHEN (SELECT count(*) FROM audit_events a WHERE a.tenant_id = j.tenant_id AND a.object_id = j.id AND a.verb = 'completeJob')
          <> 1 THEN 'not completed once'
        WHEN (SELECT count(*) FROM job_events e WHERE e.job_id = j.id AND e.facts->>'status' = 'COMPLETED') <> 1 THEN 'ended twice'
      END AS wrong FROM unnest(${[...jobIds]}::text[]) AS made(id) LEFT JOIN jobs j ON j.id = made.id) judged
    WHERE wrong IS NOT NULL GROUP BY 1`;
  assert.deepEqual(rows, []);
}

/** Waits until none of them is queued or under way; throws where that takes longer. */
export async function drained(db: Database, jobIds: readonly string[], withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const [{ left } = { left: -1 }] = await db.$queryRaw<{ left: number }[]>`
      SELECT count(*)::int AS left FROM jobs WHERE id = ANY(${[...jobIds]}::text[]) AND status IN ('QUEUED', 'RUNNING', 'FINALIZING')`;
    if (left === 0) return;
    if (performance.now() > deadline) throw new Error(`${left} jobs are not done after ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
