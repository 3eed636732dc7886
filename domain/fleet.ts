// What operators of the platform see of the workers and do with them: rename, drain, retire.
import * as z from "zod";
import type { Prisma, Worker } from "../prisma/client/client.ts";
import { type Actor, authorizePlatform, isOperator } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, WorkerInUseError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { nounOf } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { changeJob } from "./queue.ts";
import { storedStatuses } from "./quotas.ts";
import type { FailureCode } from "./rules/failures.ts";

type WorkerVerb = "updateWorker" | "drainWorker" | "resumeWorker" | "startInventory";

export function updateWorker(
  hub: Hub,
  actor: Actor,
  { workerId, ...input }: { workerId: string; name: string },
): Promise<Worker> {
  authorizePlatform(actor);
  const { name } = parseInput(z.object({ name: nameInput }), input);
  return changeWorker(hub, actor, { workerId, verb: "updateWorker" }, () => ({ name }));
}

/** It gets nothing more to do, and ends what it has. Asking again changes nothing. */
export function drainWorker(hub: Hub, actor: Actor, { workerId }: { workerId: string }): Promise<Worker> {
  authorizePlatform(actor);
  return changeWorker(hub, actor, { workerId, verb: "drainWorker" }, (before, at) =>
    before.drainedAt ? null : { drainedAt: at, ...(before.status === "ONLINE" && { status: "DRAINING" as const }) },
  );
}

/** It gets work again. */
export function resumeWorker(hub: Hub, actor: Actor, { workerId }: { workerId: string }): Promise<Worker> {
  authorizePlatform(actor);
  // A worker that drains of its own accord says so again with its next sign of life.
  return changeWorker(hub, actor, { workerId, verb: "resumeWorker" }, (before) =>
    before.drainedAt ? { drainedAt: null, ...(before.status === "DRAINING" && { status: "ONLINE" as const }) } : null,
  );
}

/** With its next sign of life it is told to compare its store with the rows here. Asking again before it did changes nothing. */
export function startInventory(hub: Hub, actor: Actor, { workerId }: { workerId: string }): Promise<Worker> {
  authorizePlatform(actor);
  return changeWorker(hub, actor, { workerId, verb: "startInventory" }, (before, at) =>
    before.inventoryRequestedAt && before.inventoryRequestedAt > (before.inventoriedAt ?? new Date(0))
      ? null
      : { inventoryRequestedAt: at },
  );
}

function changeWorker(
  hub: Hub,
  actor: Actor,
  { workerId, verb }: { workerId: string; verb: WorkerVerb },
  change: (before: Worker, at: Date) => Prisma.WorkerUpdateInput | null,
): Promise<Worker> {
  return transact(asPlatform(hub), async (tx, announce) => {
    const before = await lockWorker(tx, workerId);
    const data = before.retiredAt ? null : change(before, await now(tx));
    if (!data) return before;
    const worker = await tx.worker.update({ where: { id: workerId }, data });
    announce.workersChanged();
    await audit(tx, actor, { tenantId: null, verb, objectId: workerId, before: facts(before), after: facts(worker) });
    return worker;
  });
}

/**
 * It is gone for good: its token opens nothing from now on, and what it had in hand goes to others when the leases run out. Throws
 * `WorkerInUseError` while it keeps snapshots; with `force` those are missing afterwards, and `missing` says how many.
 */
export async function retireWorker(
  hub: Hub,
  actor: Actor,
  { workerId, force }: { workerId: string; force?: boolean | null | undefined },
): Promise<{ worker: Worker; missing: number }> {
  authorizePlatform(actor);
  return transact(asPlatform(hub), async (tx, announce) => {
    const before = await lockWorker(tx, workerId);
    if (before.retiredAt) return { worker: before, missing: 0 };
    const kept = await tx.snapshot.count({ where: { workerId, status: { in: [...storedStatuses] } } });
    if (kept > 0 && !force) throw new WorkerInUseError(kept);
    const at = await now(tx);
    const keepers = await tx.snapshot.findMany({
      where: { workerId },
      distinct: "tenantId",
      select: { tenantId: true },
    });
    for (const { tenantId } of keepers) announce.snapshotsChanged(tenantId);
    const gone = await tx.snapshot.updateMany({
      where: { workerId, status: { in: ["COMPLETED", "CORRUPT"] } },
      data: { status: "MISSING" },
    });
    // They were on their way out: now they are.
    await tx.snapshot.updateMany({
      where: { workerId, status: "DELETING" },
      data: { status: "DELETED", deletedAt: at },
    });
    await failTargeted(tx, announce, workerId);
    const worker = await tx.worker.update({ where: { id: workerId }, data: { retiredAt: at, status: "OFFLINE" } });
    announce.workersChanged();
    await audit(tx, actor, {
      tenantId: null,
      verb: "retireWorker",
      objectId: workerId,
      before: facts(before),
      after: { missing: gone.count, force: force === true },
    });
    return { worker, missing: gone.count };
  });
}

/** What only this worker's store could serve, or what it was doing there. */
async function failTargeted(tx: Transaction, announce: Announcements, workerId: string): Promise<void> {
  const failure = {
    code: "WORKER_OFFLINE" satisfies FailureCode,
    message: "The worker that kept this snapshot was retired.",
  };
  const jobs = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM jobs WHERE target_worker_id = ${workerId}
      AND (status = 'QUEUED' OR (worker_id = ${workerId} AND status IN ('RUNNING', 'FINALIZING'))) FOR UPDATE`;
  const endedAt = await now(tx);
  for (const { id: jobId } of jobs) {
    await tx.restore.updateMany({ where: { jobId, status: "PREPARING" }, data: { status: "FAILED" } });
    await changeJob(tx, announce, {
      jobId,
      data: { status: "FAILED", endedAt, leaseExpiresAt: null, errorCode: failure.code, errorMessage: failure.message },
      kind: "state",
      facts: { status: "FAILED", ...failure },
    });
  }
}

async function lockWorker(tx: Transaction, workerId: string): Promise<Worker> {
  const id = nounOf(workerId) ? workerId : "";
  await tx.$queryRaw`SELECT id FROM workers WHERE id = ${id} FOR UPDATE`;
  const worker = await tx.worker.findUnique({ where: { id } });
  if (!worker) throw new NotFoundError();
  return worker;
}

function facts({ name, drainedAt }: Worker) {
  return { name, drainedAt: drainedAt?.toISOString() ?? null };
}

/** Retired ones included. Null for everybody but operators. */
export async function findWorker(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.WorkerDefaultArgs = {},
): Promise<Worker | null> {
  if (!nounOf(id) || !isOperator(actor)) return null;
  return hub.platform.worker.findUnique({ ...query, where: { id } });
}

/** Throws `ForbiddenError` for everybody but operators. */
export function listWorkers(hub: Hub, actor: Actor, query: Prisma.WorkerFindManyArgs): Promise<Worker[]> {
  authorizePlatform(actor);
  return hub.platform.worker.findMany(query);
}

export function countWorkers(hub: Hub, actor: Actor, where: Prisma.WorkerWhereInput = {}): Promise<number> {
  authorizePlatform(actor);
  return hub.platform.worker.count({ where });
}

export interface WorkerLoad {
  readonly snapshotCount: number;
  readonly storedBytes: bigint;
  readonly runningJobs: number;
}

/** What each of these workers keeps and does: in one statement, however many there are. For operators. */
export async function loadsOf(
  hub: Hub,
  actor: Actor,
  workerIds: readonly string[],
): Promise<ReadonlyMap<string, WorkerLoad>> {
  authorizePlatform(actor);
  const rows = await hub.platform.$queryRaw<(WorkerLoad & { id: string })[]>`
    SELECT asked.id, kept.snapshots AS "snapshotCount", kept.bytes AS "storedBytes",
      (SELECT count(*)::int FROM jobs j WHERE j.worker_id = asked.id AND j.status IN ('RUNNING', 'FINALIZING'))
        AS "runningJobs"
    FROM unnest(${[...workerIds]}::text[]) AS asked(id)
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS snapshots, COALESCE(sum(n.stored_bytes), 0)::bigint AS bytes FROM snapshots n
        WHERE n.worker_id = asked.id AND n.status = ANY(${[...storedStatuses]}::text[]::snapshot_status[])) AS kept`;
  return new Map(rows.map(({ id, ...load }) => [id, load]));
}
