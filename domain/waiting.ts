// What a queued job waits for that only an operator can bring back: a worker that is offline, or one that can do it at all.
import { type Hub, type Transaction, transact } from "./hub.ts";
import { changeJob } from "./queue.ts";

export interface Wait {
  readonly jobId: string;
  /** Null: there is none that ever could. */
  readonly workerName: string | null;
  /** Whether it is drained, rather than silent. */
  readonly draining: boolean;
  /** When it was last heard; null: never, or there is none. */
  readonly since: Date | null;
}

/** Jobs whose log a round of upkeep writes the reason into. */
const atOnce = 100;

/** Which of these jobs are due and have nobody to do them, and whom they wait for: in one statement. */
export function findWaits(hub: Hub, jobIds: readonly string[]): Promise<Map<string, Wait>> {
  return waitsOf(hub.platform, jobIds);
}

async function waitsOf(db: Transaction, jobIds: readonly string[]): Promise<Map<string, Wait>> {
  const rows = await db.$queryRaw<Wait[]>`
    SELECT j.id AS "jobId", w.name AS "workerName", COALESCE(w.status = 'DRAINING', false) AS draining, w.last_seen_at AS since
    FROM jobs j
      LEFT JOIN sources s ON s.id = j.source_id
      LEFT JOIN LATERAL (
        SELECT w.name, w.status, w.last_seen_at FROM workers w
        WHERE w.retired_at IS NULL AND w.capabilities->'jobTypes' ? j.type::text
          AND w.role = CASE WHEN j.type = 'RESTORE' THEN 'RESTORE' ELSE 'BACKUP' END::worker_role
          AND (j.target_worker_id IS NULL OR (w.role = 'BACKUP' AND w.id = j.target_worker_id)
            OR (w.role = 'RESTORE' AND w.capabilities->'readsStoresOf' ? j.target_worker_id))
          AND (COALESCE(s.type::text, j.source_draft->>'type') IS NULL
            OR w.capabilities->'sourceTypes' ? COALESCE(s.type::text, j.source_draft->>'type'))
        ORDER BY (w.status = 'ONLINE') DESC, w.last_seen_at DESC NULLS LAST LIMIT 1
      ) w ON true
    WHERE j.id = ANY(${[...jobIds]}::text[]) AND j.status = 'QUEUED' AND j.not_before <= now()
      AND w.status IS DISTINCT FROM 'ONLINE'::worker_status`;
  return new Map(rows.map((row) => [row.jobId, row]));
}

/** In one sentence, for whoever waits. */
export function waitSentence({ workerName, draining, since }: Omit<Wait, "jobId">): string {
  if (workerName === null) return "Waits for a worker that can do it: none has joined yet. Ask the operator.";
  if (draining) return `Waits for the worker “${workerName}”, which takes no jobs now.`;
  const silent = since ? `since ${since.toISOString().replace(/\.\d+Z$/, "Z")}` : "until it is started";
  return `Waits for the worker “${workerName}”, which is offline ${silent}.`;
}

/** Writes into the logs of jobs that one worker alone can serve that it is not there: once, as often as it goes. */
export async function noteWaits(hub: Hub): Promise<number> {
  const due = await hub.platform.$queryRaw<{ id: string }[]>`
    SELECT j.id FROM workers w CROSS JOIN LATERAL (
      SELECT id FROM jobs WHERE target_worker_id = w.id AND status = 'QUEUED' AND not_before <= now()
        AND NOT COALESCE(progress ? 'waitingFor', false)
        AND CASE WHEN type <> 'RESTORE' THEN w.status <> 'ONLINE' ELSE NOT EXISTS (
          SELECT FROM workers r WHERE r.role = 'RESTORE' AND r.status = 'ONLINE' AND r.retired_at IS NULL
            AND r.capabilities->'readsStoresOf' ? w.id) END
      ORDER BY id LIMIT ${atOnce}
    ) j WHERE w.retired_at IS NULL LIMIT ${atOnce}`;
  if (due.length === 0) return 0;
  const waits = await findWaits(
    hub,
    due.map(({ id }) => id),
  );
  for (const [jobId, wait] of waits)
    await transact(hub, async (tx, announce) => {
      const [held] = await tx.$queryRaw<unknown[]>`
        SELECT id FROM jobs WHERE id = ${jobId} AND status = 'QUEUED' FOR UPDATE SKIP LOCKED`;
      if (!held || !(await waitsOf(tx, [jobId])).has(jobId)) return;
      const message = waitSentence(wait);
      await changeJob(tx, announce, {
        jobId,
        data: { progress: { phase: "WAITING", waitingFor: wait.workerName } },
        kind: "waiting",
        facts: { code: "WORKER_OFFLINE", message },
      });
    });
  return waits.size;
}
