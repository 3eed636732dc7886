// Which queued jobs are next, for a claimer that can do so much and no more: found, locked, and set running where limits allow it.
// What this costs depends on how many tenants wait for something, never on how many jobs they wait for.
import type { Job, JobType, Prisma, WorkerRole } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import type { Transaction } from "./hub.ts";
import { newId } from "./ids.ts";
import { jobColumns } from "./job-columns.ts";
import type { Lane } from "./rules/lanes.ts";
import { typesOverSsh } from "./rules/source-config.ts";
import { isUnsuspected } from "./suspects.ts";

export interface Claimer {
  readonly worker: WorkerActor;
  readonly role: WorkerRole;
  readonly lanes: readonly Lane[];
  /** Most jobs to be taken. */
  readonly count: number;
  /** Most jobs that it may hold at a time; null: any number. */
  readonly concurrency: number | null;
  /** Types of sources that it reads only where the dump program is on their own SSH server. */
  readonly farTypes: readonly string[];
  /** Which queued jobs `j` it may be given beside those it holds. */
  readonly fitting: Prisma.Sql;
}

/** A queued job whose row the transaction holds. */
export interface NextJob {
  readonly id: string;
  readonly tenantId: string;
  readonly type: JobType;
  /** It may be what its workers died of: to be done alone. */
  readonly suspect: boolean;
  /** The source that it reads; null for none that is saved. */
  readonly sourceId: string | null;
  /** The time of the database. */
  readonly now: Date;
}

/**
 * Finds and locks up to `count` jobs: higher priority first, then the tenant with the fewest under way, then what has been due for
 * longest. Several are shared out among the tenants as if they were asked for one by one. Whoever else claims passes over them
 * (`SKIP LOCKED`). The locks of their tenants' plans and of their sources are held as well: the caller counts anew.
 *
 * The index `jobs_lane_idx` is walked in leaps: to the urgencies of each lane, to the first due job of each tenant, and only then to
 * the jobs themselves. So neither a million jobs of one tenant, nor those that others have to do, nor those that are not due
 * yet are ever looked at.
 */
export async function lockNextJobs(
  tx: Transaction,
  { worker, role, lanes, count, concurrency, farTypes, fitting }: Claimer,
): Promise<readonly NextJob[]> {
  return tx.$queryRaw<NextJob[]>`
    WITH RECURSIVE free AS (
      SELECT GREATEST(0, LEAST(${count}::int, ${concurrency}::int - count(*)::int)) AS places
      FROM jobs WHERE worker_id = ${worker.workerId} AND status IN ('RUNNING', 'FINALIZING') AND type <> 'VERIFY'
        AND lease_expires_at > now()
    ), urgencies AS (
      SELECT first.lane, served.type, first.priority
      FROM unnest(${lanes.map(({ lane }) => lane)}::text[], ${lanes.map(({ type }) => type)}::text[]) AS served(lane, type)
        CROSS JOIN LATERAL (SELECT j.lane, j.priority FROM jobs j WHERE j.status = 'QUEUED' AND j.lane = served.lane
          ORDER BY j.priority DESC LIMIT 1) first
      UNION ALL
      SELECT next.lane, u.type, next.priority
      FROM urgencies u CROSS JOIN LATERAL (SELECT j.lane, j.priority FROM jobs j
          WHERE j.status = 'QUEUED' AND j.lane = u.lane AND j.priority < u.priority ORDER BY j.priority DESC LIMIT 1) next
    ), heads AS (
      SELECT u.lane, u.type, u.priority, first.tenant_id, first.due
      FROM urgencies u CROSS JOIN LATERAL (SELECT j.tenant_id, j.not_before AS due FROM jobs j
          WHERE j.status = 'QUEUED' AND j.lane = u.lane AND j.priority = u.priority
          ORDER BY j.tenant_id, j.not_before LIMIT 1) first
      UNION ALL
      SELECT h.lane, h.type, h.priority, next.tenant_id, next.due
      FROM heads h CROSS JOIN LATERAL (SELECT j.tenant_id, j.not_before AS due FROM jobs j
          WHERE j.status = 'QUEUED' AND j.lane = h.lane AND j.priority = h.priority AND j.tenant_id > h.tenant_id
          ORDER BY j.tenant_id, j.not_before LIMIT 1) next
    ), open AS (
      -- A tenant with several heads takes its turns in all of them, one after the other.
      SELECT h.*, CASE WHEN h.type <> 'VERIFY' THEN t.max_running_jobs END AS most, count(*) OVER (PARTITION BY h.tenant_id) AS step,
        COALESCE(under_way.jobs, 0) + row_number() OVER (PARTITION BY h.tenant_id ORDER BY h.priority DESC, h.due) - 1 AS turn
      FROM heads h JOIN tenants t ON t.id = h.tenant_id
        LEFT JOIN (SELECT tenant_id, count(*) AS jobs FROM jobs
          WHERE status IN ('RUNNING', 'FINALIZING') AND type <> 'VERIFY' GROUP BY 1) under_way
          ON under_way.tenant_id = h.tenant_id
      WHERE h.due <= now() AND (t.max_running_jobs IS NULL OR h.type = 'VERIFY' OR COALESCE(under_way.jobs, 0) < t.max_running_jobs)
        AND (t.status = 'ACTIVE' OR h.type = 'RESTORE'
          OR (t.status = 'DELETING' AND t.deletion_due_at <= now() AND h.type = 'DELETE_SNAPSHOT'))
    ), shares AS (
      SELECT lane, priority, tenant_id, count(*) AS jobs FROM (
        SELECT o.lane, o.priority, o.tenant_id
        FROM (SELECT * FROM open ORDER BY priority DESC, turn, due LIMIT ${count}) o CROSS JOIN generate_series(0, ${count} - 1) nth
        WHERE o.most IS NULL OR o.turn + nth * o.step < o.most
        ORDER BY o.priority DESC, o.turn + nth * o.step, o.due LIMIT ${count}) places
      GROUP BY 1, 2, 3
    ), picked AS MATERIALIZED (
      -- Where others were quicker, or something of its own is in the way, the turn passes on to the heads without a share.
      SELECT job.* FROM (
          SELECT o.*, s.jobs AS share FROM open o LEFT JOIN shares s USING (lane, priority, tenant_id)
          ORDER BY s.jobs IS NULL, o.priority DESC, o.turn, o.due) o
        CROSS JOIN LATERAL (
          SELECT j.id, j.tenant_id, j.type, NOT ${isUnsuspected} AS suspect, CASE WHEN j.type IN ('BACKUP', 'TEST_SOURCE') THEN j.source_id END AS source_id,
            o.most IS NOT NULL AS bounded
          FROM jobs j LEFT JOIN sources s ON s.id = j.source_id
          WHERE j.status = 'QUEUED' AND j.lane = o.lane AND j.priority = o.priority AND j.tenant_id = o.tenant_id
            AND j.not_before <= now() AND ${fitting}
            AND (j.window_ends_at IS NULL OR j.window_ends_at > now())
            AND (j.type <> 'VERIFY' OR (j.verify_depth = 'CONTENT') = ${role === "RESTORE"})
            AND (NOT COALESCE(COALESCE(s.type::text, j.source_draft->>'type') = ANY(${[...farTypes]}::text[]), false)
              OR COALESCE(COALESCE(s.config, j.source_draft->'config')->'ssh'->>'dump',
                CASE WHEN COALESCE(s.config, j.source_draft->'config') ? 'ssh' THEN 'far' END) = 'far')
            AND (j.type <> 'BACKUP' OR s.host_key IS NOT NULL
              OR NOT (s.type::text = ANY(${[...typesOverSsh]}::text[]) OR s.config ? 'ssh'))
            AND (j.type <> 'BACKUP' OR s.jump_host_key IS NOT NULL
              OR NOT (s.config ? 'jump' OR COALESCE(s.config->'ssh' ? 'jump', false)))
            AND (j.source_id IS NULL OR j.type NOT IN ('BACKUP', 'TEST_SOURCE') OR NOT EXISTS (SELECT FROM jobs reader
              WHERE reader.tenant_id = j.tenant_id AND reader.source_id = j.source_id
                AND reader.status IN ('RUNNING', 'FINALIZING') AND reader.type IN ('BACKUP', 'TEST_SOURCE')))
            AND (j.type <> 'DELETE_SNAPSHOT' OR NOT EXISTS (SELECT FROM restores r
              WHERE r.tenant_id = j.tenant_id AND r.snapshot_id = j.target_snapshot_id AND r.status = 'PREPARING'))
          ORDER BY j.not_before, j.id LIMIT GREATEST(o.share, 1) FOR UPDATE OF j SKIP LOCKED) job
      LIMIT (SELECT places FROM free)
    ), held AS MATERIALIZED (
      -- All in one order, so that no two claimers wait for each other.
      SELECT pg_advisory_xact_lock(hashtextextended(what, 0)) FROM (
        SELECT 'jobs of ' || tenant_id AS what FROM picked WHERE bounded
        UNION SELECT 'reader of ' || source_id FROM picked WHERE source_id IS NOT NULL
        ORDER BY what) locks
    )
    SELECT p.id, p.tenant_id AS "tenantId", p.type, p.suspect, p.source_id AS "sourceId", now() AS now
    FROM picked p WHERE (SELECT count(*) FROM held) >= 0`;
}

/**
 * Sets the locked jobs running, with their line in the log and in the audit, and returns them as they are now: all but those that
 * would be one more than their tenant's plan allows, or the second to read their source. In a statement of its own, so that it sees
 * what other claimers did before they gave up the locks.
 */
export async function beginJobs(
  tx: Transaction,
  { workerId }: WorkerActor,
  {
    jobs,
    leaseSeconds,
    minutes,
  }: { jobs: readonly NextJob[]; leaseSeconds: number; minutes: (type: JobType) => number },
): Promise<Job[]> {
  const snapshotIds = jobs.map(({ now }) => newId("snapshot", now));
  const auditIds = jobs.map(({ now }) => newId("auditEvent", now));
  return tx.$queryRaw<Job[]>`
    WITH next AS (
      SELECT n.*, row_number() OVER (PARTITION BY n.tenant_id, n.bounded ORDER BY n.place) AS of_tenant,
        CASE WHEN n.source_id IS NOT NULL THEN row_number() OVER (PARTITION BY n.source_id ORDER BY n.place) ELSE 1 END AS of_source
      FROM unnest(${jobs.map(({ id }) => id)}::text[], ${jobs.map(({ tenantId }) => tenantId)}::text[],
          ${jobs.map(({ sourceId }) => sourceId)}::text[], ${snapshotIds}::text[], ${auditIds}::text[],
          ${jobs.map(({ type }) => minutes(type))}::int[], ${jobs.map(({ type }) => type !== "VERIFY")}::boolean[])
        WITH ORDINALITY AS n(id, tenant_id, source_id, snapshot_id, audit_id, minutes, bounded, place)
    ), allowed AS (
      SELECT n.* FROM next n JOIN tenants t ON t.id = n.tenant_id
      WHERE n.of_source = 1
        AND (t.max_running_jobs IS NULL OR NOT n.bounded OR n.of_tenant + (SELECT count(*) FROM jobs j
          WHERE j.tenant_id = n.tenant_id AND j.status IN ('RUNNING', 'FINALIZING') AND j.type <> 'VERIFY') <= t.max_running_jobs)
        AND (n.source_id IS NULL OR NOT EXISTS (SELECT FROM jobs reader WHERE reader.tenant_id = n.tenant_id
          AND reader.source_id = n.source_id AND reader.status IN ('RUNNING', 'FINALIZING')
          AND reader.type IN ('BACKUP', 'TEST_SOURCE')))
    ), begun AS (
      UPDATE jobs j SET status = 'RUNNING', worker_id = ${workerId}, attempt = attempt + 1, lease_epoch = lease_epoch + 1,
        lease_expires_at = now() + make_interval(secs => ${leaseSeconds}), deadline_at = now() + make_interval(mins => a.minutes),
        started_at = COALESCE(started_at, now()),
        event_seq = event_seq + 1, attempt_snapshot_id = CASE WHEN j.type = 'BACKUP' THEN a.snapshot_id END,
        progress = NULL, error_code = NULL, error_message = NULL
      FROM allowed a WHERE j.id = a.id
      RETURNING j.*, a.audit_id, a.place
    ), logged AS (
      INSERT INTO job_events (job_id, seq, tenant_id, kind, facts)
      SELECT id, event_seq, tenant_id, 'state', jsonb_build_object('status', 'RUNNING', 'attempt', attempt) FROM begun
    ), audited AS (
      INSERT INTO audit_events (id, tenant_id, actor_kind, actor_id, verb, object_id, after)
      SELECT audit_id, tenant_id, 'worker', worker_id, 'claimJob', id,
        jsonb_build_object('leaseEpoch', lease_epoch, 'attempt', attempt) FROM begun
    )
    SELECT ${jobColumns} FROM begun ORDER BY place`;
}
