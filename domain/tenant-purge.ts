// What becomes of a tenant whose deletion is due: its jobs end, its snapshots are removed by the workers that keep them, and when no
// byte is left its rows go. Every step may be repeated, and several hubs may take it at once. What was done stays in the audit.
import { Prisma } from "../prisma/client/client.ts";
import { audit } from "./audit.ts";
import type { Announcements } from "./events.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { changeJob, createJob } from "./queue.ts";

/** Snapshots and jobs that one step deals with, and rows that one statement deletes: what takes long is done in several rounds. */
const atOnce = 200;
const rowsAtOnce = 5_000;

/** Goes one step with every tenant that is due, and answers how many are gone for good. */
export async function purgeTenants(bounded: Hub): Promise<number> {
  const hub = asPlatform(bounded);
  const due = await hub.platform.$queryRaw<{ id: string }[]>`
    SELECT id FROM tenants WHERE status = 'DELETING' AND deletion_due_at <= now() ORDER BY deletion_due_at LIMIT 20`;
  let purged = 0;
  for (const { id } of due) {
    const empty = await transact(hub, (tx, announce) => removeSnapshots(tx, announce, id));
    if (empty && (await removeRows(hub, id))) purged++;
  }
  return purged;
}

/** Whether nothing runs and no byte is left. */
async function removeSnapshots(tx: Transaction, announce: Announcements, tenantId: string): Promise<boolean> {
  if (!(await holdDue(tx, tenantId))) return false;
  await endJobs(tx, announce, tenantId);
  const begun = await tx.$executeRaw`
    UPDATE snapshots s SET status = 'DELETING' FROM (
      SELECT id FROM snapshots WHERE tenant_id = ${tenantId} AND status NOT IN ('DELETING', 'DELETED') LIMIT ${rowsAtOnce}
    ) going WHERE s.id = going.id`;
  // What a retired worker kept, nobody can remove any more.
  await tx.$executeRaw`
    UPDATE snapshots SET status = 'DELETED', deleted_at = now() WHERE tenant_id = ${tenantId} AND status = 'DELETING'
      AND worker_id IN (SELECT id FROM workers WHERE retired_at IS NOT NULL)`;
  for (const snapshot of await withoutJob(tx, tenantId))
    await createJob(tx, announce, {
      tenantId,
      type: "DELETE_SNAPSHOT",
      targetSnapshotId: snapshot.id,
      targetWorkerId: snapshot.workerId,
    });
  if (begun > 0) return false;
  const left = await tx.snapshot.count({ where: { tenantId, status: { not: "DELETED" } } });
  const busy = await tx.job.count({ where: { tenantId, status: { in: ["QUEUED", "RUNNING", "FINALIZING"] } } });
  return left === 0 && busy === 0;
}

/** Locks the tenant where its end is due and no other hub is at it. */
async function holdDue(tx: Transaction, tenantId: string): Promise<boolean> {
  const held = await tx.$queryRaw<unknown[]>`
    SELECT id FROM tenants WHERE id = ${tenantId} AND status = 'DELETING' AND deletion_due_at <= now() FOR UPDATE SKIP LOCKED`;
  return held.length > 0;
}

/** What is queued ends, and whoever is at work is asked to stop. */
async function endJobs(tx: Transaction, announce: Announcements, tenantId: string): Promise<void> {
  const jobs = await tx.$queryRaw<{ id: string; queued: boolean }[]>`
    SELECT id, status = 'QUEUED' AS queued FROM jobs WHERE tenant_id = ${tenantId} AND type <> 'DELETE_SNAPSHOT'
      AND (status = 'QUEUED' OR (status IN ('RUNNING', 'FINALIZING') AND cancel_requested_at IS NULL))
    LIMIT ${atOnce} FOR UPDATE SKIP LOCKED`;
  const at = await now(tx);
  for (const { id: jobId, queued } of jobs) {
    if (queued) await tx.restore.updateMany({ where: { jobId, status: "PREPARING" }, data: { status: "FAILED" } });
    await changeJob(tx, announce, {
      jobId,
      data: { cancelRequestedAt: at, ...(queued && { status: "CANCELED" as const, endedAt: at }) },
      ...(queued ? { kind: "state", facts: { status: "CANCELED" } } : { kind: "cancel-requested", facts: {} }),
    });
  }
}

/** Snapshots whose removal is still to be asked for; where it failed for good, again after an hour. */
function withoutJob(tx: Transaction, tenantId: string): Promise<{ id: string; workerId: string | null }[]> {
  return tx.$queryRaw`
    SELECT s.id, s.worker_id AS "workerId" FROM snapshots s WHERE s.tenant_id = ${tenantId} AND s.status = 'DELETING'
      AND NOT EXISTS (
        SELECT FROM jobs j WHERE j.tenant_id = s.tenant_id AND j.target_snapshot_id = s.id AND j.type = 'DELETE_SNAPSHOT'
          AND (j.status IN ('QUEUED', 'RUNNING', 'FINALIZING') OR j.ended_at > now() - interval '1 hour'))
    LIMIT ${atOnce}`;
}

/** In an order in which nothing is left pointing at what is gone; `audit_events` belong to nobody's table but the log's. */
const tables = ["restores", "snapshots", "jobs", "schedules", "sources", "credentials", "tenant_keys"];

/** Deletes what the tenant had, in pieces, and then the tenant itself. Whether it is gone by this hub's hand. */
async function removeRows(hub: Hub, tenantId: string): Promise<boolean> {
  // Jobs point at snapshots and snapshots at jobs.
  await inPieces(
    hub,
    Prisma.sql`UPDATE jobs SET target_snapshot_id = NULL WHERE id IN (
      SELECT id FROM jobs WHERE tenant_id = ${tenantId} AND target_snapshot_id IS NOT NULL LIMIT ${rowsAtOnce})`,
  );
  await inPieces(
    hub,
    Prisma.sql`DELETE FROM outbox WHERE id IN (
      SELECT o.id FROM outbox o JOIN jobs j ON j.id = o.job_id WHERE j.tenant_id = ${tenantId} LIMIT ${rowsAtOnce})`,
  );
  for (const table of tables)
    await inPieces(
      hub,
      Prisma.sql`DELETE FROM ${Prisma.raw(table)} WHERE id IN (
        SELECT id FROM ${Prisma.raw(table)} WHERE tenant_id = ${tenantId} LIMIT ${rowsAtOnce})`,
    );
  return transact(hub, async (tx) => {
    if (!(await holdDue(tx, tenantId))) return false;
    const { name } = await tx.tenant.delete({ where: { id: tenantId } });
    await audit(tx, { kind: "system" }, { tenantId, verb: "purgeTenant", objectId: tenantId, before: { name } });
    return true;
  });
}

async function inPieces(hub: Hub, statement: Prisma.Sql): Promise<void> {
  while ((await hub.platform.$executeRaw(statement)) === rowsAtOnce);
}
