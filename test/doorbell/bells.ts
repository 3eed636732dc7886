// Jobs with their bells in the outbox, as the domain leaves them there, and a look into the queues.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { pino } from "pino";
import { newId } from "../../domain/ids.ts";
import type { Depth, JobType } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";

export const silent = pino({ level: "silent" });

export interface LeftBells {
  readonly targetWorkerId?: string | null;
  readonly notBefore?: Date | null;
  readonly type?: JobType;
  readonly verifyDepth?: Depth | null;
}

/** Makes queued jobs and their bells; answers with the jobs' ids. */
export async function leaveBells(
  db: Database,
  count: number,
  { targetWorkerId = null, notBefore = null, type = "BACKUP", verifyDepth = null }: LeftBells = {},
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId("job", new Date()));
  await db.$executeRaw`
    WITH tenant AS (INSERT INTO tenants (id, name) VALUES (${newId("tenant", new Date())}, 'Bells') RETURNING id),
         worker AS (INSERT INTO workers (id, name, token_hash)
                    SELECT id, 'worker', id FROM (VALUES (${targetWorkerId}::text)) given (id) WHERE id IS NOT NULL
                        ON CONFLICT DO NOTHING),
         job AS (INSERT INTO jobs (id, tenant_id, type, verify_depth, target_worker_id, not_before)
                 SELECT unnest(${ids}::text[]), tenant.id, ${type}::job_type, ${verifyDepth}::verify_depth, ${targetWorkerId},
                        coalesce(${notBefore}, now())
                   FROM tenant RETURNING id)
    INSERT INTO outbox (job_id, lease_epoch, target_worker_id) SELECT id, 0, ${targetWorkerId} FROM job`;
  return ids;
}

/** Makes the bells' last ring half a minute old. */
export async function letTimePass(db: Database): Promise<void> {
  await db.$executeRaw`UPDATE outbox SET rung_at = rung_at - interval '31 seconds'`;
}

export async function ringIds(redis: Redis, queueName = "xvault"): Promise<string[]> {
  return (await redis.hkeys(`bq:${queueName}:jobs`)).toSorted();
}

export async function until(isSo: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `not so within ${withinMs} ms: ${isSo}`);
    await pause(10);
  }
}
