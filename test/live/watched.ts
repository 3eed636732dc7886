// A job whose life the tests write themselves, the way the domain does, and what a subscriber saw of it.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { pino } from "pino";
import { newId } from "../../domain/ids.ts";
import type { JobStatus } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";
import type { JobUpdate } from "../../server/live/subscription.ts";

export const silent = pino({ level: "silent" });

/** Makes a tenant and answers with its id. */
export async function makeTenant(db: Database): Promise<string> {
  const id = newId("tenant", new Date());
  await db.tenant.create({ data: { id, name: "Live" } });
  return id;
}

export async function makeSource(db: Database, tenantId: string): Promise<string> {
  const id = newId("source", new Date());
  await db.source.create({ data: { id, tenantId, type: "SFTP", name: "live", config: {} } });
  return id;
}

/** Makes a queued job, of a tenant of its own where none is named, and answers with its id. */
export async function queueJob(db: Database, of: { tenantId?: string; sourceId?: string } = {}): Promise<string> {
  const id = newId("job", new Date());
  const tenantId = of.tenantId ?? (await makeTenant(db));
  await db.$executeRaw`
    WITH job AS (INSERT INTO jobs (id, tenant_id, source_id, type, event_seq)
                 VALUES (${id}, ${tenantId}, ${of.sourceId ?? null}, 'BACKUP', 1) RETURNING id, tenant_id)
    INSERT INTO job_events (job_id, seq, tenant_id, kind, facts)
    SELECT id, 1, tenant_id, 'state', '{"status":"QUEUED"}' FROM job`;
  return id;
}

/** Moves the job and writes it down; with RUNNING a new lease begins. */
export async function moveJob(db: Database, jobId: string, status: JobStatus): Promise<void> {
  await db.$executeRaw`
    WITH job AS (
      UPDATE jobs SET event_seq = event_seq + 1, status = ${status}::job_status,
             lease_epoch = lease_epoch + (${status} = 'RUNNING')::int, attempt = attempt + (${status} = 'RUNNING')::int
       WHERE id = ${jobId} RETURNING id, event_seq, tenant_id, status)
    INSERT INTO job_events (job_id, seq, tenant_id, kind, facts)
    SELECT id, event_seq, tenant_id, 'state', jsonb_build_object('status', status) FROM job`;
}

/** Writes lines of a given length to the job's log, all in one transaction. */
export async function writeLog(db: Database, jobId: string, lines: number, length = 10): Promise<void> {
  await db.$executeRaw`
    WITH job AS (
      UPDATE jobs SET event_seq = event_seq + ${lines}::int WHERE id = ${jobId} RETURNING id, event_seq, tenant_id)
    INSERT INTO job_events (job_id, seq, tenant_id, kind, facts)
    SELECT id, event_seq - ${lines}::int + line, tenant_id, 'log', jsonb_build_object('text', lpad(line::text, ${length}::int))
      FROM job, generate_series(1, ${lines}::int) line`;
}

export async function collect(updates: AsyncIterable<JobUpdate>): Promise<JobUpdate[]> {
  const seen: JobUpdate[] = [];
  for await (const update of updates) seen.push(update);
  return seen;
}

/** Every event from the first update on, once, in order, and the final state last. */
export function assertWhole(updates: readonly JobUpdate[], last: { seq: number; status: JobStatus }): void {
  const states = updates.filter((update) => update.kind === "state");
  const first = states[0]?.seq ?? -1;
  assert.deepEqual(
    states.map(({ seq }) => seq),
    Array.from({ length: last.seq - first + 1 }, (_, index) => first + index),
  );
  for (const { seq, job, event } of states.slice(1)) {
    assert.equal(event?.seq, seq);
    assert.ok(job.eventSeq >= seq, "the job is older than the event it came with");
  }
  assert.equal(states.at(-1)?.job.status, last.status);
  assert.equal(updates.at(-1)?.kind, "state", "something came after the end");
}

export async function until(isSo: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `not so within ${withinMs} ms: ${isSo}`);
    await pause(10);
  }
}
