// The processes of the data plane as they speak for themselves: known by a token, online while they are heard. How they join is in
// enrolments.ts, and what operators do with them in fleet.ts.
import * as z from "zod";
import { type JobType, type Prisma, SourceType, type Worker, type WorkerRole } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, UnauthenticatedError, UpgradeRequiredError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import { storedStatuses } from "./quotas.ts";
import { hashToken } from "./secrets.ts";

/** Versions of the private protocol that this hub speaks. 2: a claim says how long its attempt may take. */
export const protocol = { oldest: 1, newest: 2 } as const;

const jobTypesOf: Record<WorkerRole, readonly JobType[]> = {
  BACKUP: ["BACKUP", "TEST_SOURCE", "DELETE_SNAPSHOT", "VERIFY"],
  RESTORE: ["RESTORE", "VERIFY"],
};

const capabilitiesInput = z.object({
  version: z.string().max(64),
  jobTypes: z.array(z.string().max(32)).max(16),
  sourceTypes: z.array(z.string().max(32)).max(16),
  tools: z.record(z.string().max(64), z.unknown()),
  readsStoresOf: z.array(z.string().max(64)).max(1000),
  /** Jobs at once; older workers do not say. */
  concurrency: z.number().int().min(1).max(1000).nullish(),
});

/** Programs that sources need on the worker itself, unless they have them on an SSH server of their own. */
const dumpPrograms = { POSTGRES: "pg_dump", MYSQL: "mysqldump" } as const satisfies Partial<Record<SourceType, string>>;

export function countOnlineWorkers(hub: Hub): Promise<number> {
  return hub.platform.worker.count({ where: { status: "ONLINE" } });
}

/** The worker behind a token. Throws `UnauthenticatedError`, for one that is retired as well. */
export async function authenticateWorker(hub: Hub, token: string): Promise<WorkerActor> {
  const row = await hub.platform.worker.findUnique({
    where: { tokenHash: hashToken(token) },
    select: { id: true, retiredAt: true },
  });
  if (!row || row.retiredAt) throw new UnauthenticatedError();
  return { kind: "worker", workerId: row.id };
}

export interface RegisterWorkerInput {
  readonly protocol: number;
  readonly role: WorkerRole;
  readonly publicKey: string;
  readonly storageBase?: string | null | undefined;
  readonly capabilities: unknown;
}

/** Throws `UpgradeRequiredError` where the two sides have no protocol in common. */
export function refuseProtocol(theirs: number): void {
  if (theirs < protocol.oldest || theirs > protocol.newest)
    throw new UpgradeRequiredError(theirs, protocol.oldest, protocol.newest);
}

/** A worker has started: notes its key of this start and what it can do. */
export async function registerWorker(hub: Hub, worker: WorkerActor, input: RegisterWorkerInput) {
  refuseProtocol(input.protocol);
  const capabilities = parseInput(capabilitiesInput, input.capabilities);
  if (!/^age1[0-9a-z]{58}$/.test(input.publicKey))
    throw new InvalidInputError([{ path: "publicKey", message: "Not an age recipient." }]);
  await transact(asPlatform(hub), async (tx, announce) => {
    const row = await requireWorker(tx, worker);
    if (row.role !== input.role)
      throw new InvalidInputError([{ path: "role", message: `This token was enrolled as ${row.role}.` }]);
    await tx.worker.update({
      where: { id: row.id },
      data: {
        status: row.drainedAt ? "DRAINING" : "ONLINE",
        publicKey: input.publicKey,
        storageBase: input.storageBase ?? null,
        capabilities: capabilities as Prisma.InputJsonObject,
        lastSeenAt: await now(tx),
      },
    });
    announce.workersChanged();
    await audit(tx, worker, { tenantId: null, verb: "registerWorker", objectId: row.id });
  });
  const { leaseSeconds, heartbeatSeconds } = hub.terms;
  const storedSnapshots = await countStored(hub, worker);
  return { workerId: worker.workerId, leaseSeconds, heartbeatSeconds, storedSnapshots };
}

function countStored(hub: Hub, { workerId }: WorkerActor): Promise<number> {
  return hub.platform.snapshot.count({ where: { workerId, status: { in: [...storedStatuses] } } });
}

export interface HeartbeatInput {
  readonly draining: boolean;
  /** Room in its store; what is not told stays as it was told last. */
  readonly freeBytes?: bigint | number | null | undefined;
  readonly totalBytes?: bigint | number | null | undefined;
}

/** A sign of life. Answers whether its store is to be compared with the rows here now. */
export async function heartbeat(
  hub: Hub,
  worker: WorkerActor,
  { draining, freeBytes, totalBytes }: HeartbeatInput,
): Promise<{ serverTime: Date; inventoryDue: boolean }> {
  const { inventorySeconds } = hub.terms;
  const [heard] = await hub.platform.$queryRaw<{ serverTime: Date; inventoryDue: boolean; changed: boolean }[]>`
    WITH before AS (SELECT id, status FROM workers WHERE id = ${worker.workerId} AND retired_at IS NULL FOR UPDATE)
    UPDATE workers w SET last_seen_at = now(),
      status = CASE WHEN ${draining} OR drained_at IS NOT NULL THEN 'DRAINING' ELSE 'ONLINE' END::worker_status,
      free_bytes = COALESCE(${counted(freeBytes)}::bigint, free_bytes),
      total_bytes = COALESCE(${counted(totalBytes)}::bigint, total_bytes)
    FROM before WHERE w.id = before.id
    RETURNING w.last_seen_at AS "serverTime", w.status <> before.status AS changed,
      w.role = 'BACKUP' AND NOT ${draining} AND (w.inventoried_at IS NULL OR COALESCE(w.inventory_requested_at > w.inventoried_at, false)
        OR w.inventoried_at < now() - make_interval(secs => ${inventorySeconds})) AS "inventoryDue"`;
  if (!heard) throw new UnauthenticatedError();
  const { changed, ...answer } = heard;
  if (changed) hub.announce.workersChanged();
  return answer;
}

function counted(bytes: bigint | number | null | undefined): bigint | null {
  return bytes == null ? null : BigInt(bytes);
}

/** Marks the workers that have not been heard for three beats. */
export async function markOfflineWorkers(hub: Hub): Promise<number> {
  const marked = await hub.platform.$executeRaw`
    UPDATE workers SET status = 'OFFLINE' WHERE status <> 'OFFLINE'
      AND last_seen_at < now() - make_interval(secs => ${hub.terms.heartbeatSeconds * 3})`;
  if (marked > 0) hub.announce.workersChanged();
  return marked;
}

export interface Service {
  readonly jobTypes: JobType[];
  readonly sourceTypes: SourceType[];
  /** Of those, the ones that it can read only where the dump program is on their own SSH server. */
  readonly farTypes: SourceType[];
  /** Ids of the workers whose stores it reads. */
  readonly stores: string[];
}

/** What a worker may be given: by its role, by what it said of itself, and by whose stores it can read. */
export function serves(worker: Worker): Service {
  const said = capabilitiesInput.safeParse(worker.capabilities);
  if (!said.success) return { jobTypes: [], sourceTypes: [], farTypes: [], stores: [] };
  return {
    jobTypes: jobTypesOf[worker.role].filter((type) => said.data.jobTypes.includes(type)),
    sourceTypes: Object.values(SourceType).filter((type) => said.data.sourceTypes.includes(type)),
    farTypes: Object.entries(dumpPrograms).flatMap(([type, program]) =>
      // Null: it was looked for and is not there. Older workers say nothing of it.
      said.data.tools[program] === null ? [type as SourceType] : [],
    ),
    stores: worker.role === "RESTORE" ? said.data.readsStoresOf : [worker.id],
  };
}

/**
 * As `requireWorker`; to the end of the transaction this worker claims nothing elsewhere, and statements keep the plan that they once
 * got: to plan the search for the next jobs anew takes Postgres longer than the search.
 */
export async function lockWorker(tx: Transaction, worker: WorkerActor): Promise<Worker> {
  await tx.$queryRaw`
    SELECT set_config('plan_cache_mode', 'force_generic_plan', true) FROM workers WHERE id = ${worker.workerId} FOR NO KEY UPDATE`;
  return requireWorker(tx, worker);
}

/** Throws `UnauthenticatedError` where the worker has been removed or retired. */
export async function requireWorker(tx: Transaction, { workerId }: WorkerActor): Promise<Worker> {
  const row = await tx.worker.findUnique({ where: { id: workerId } });
  if (!row || row.retiredAt) throw new UnauthenticatedError();
  return row;
}

/** Jobs that it does at once, as it said; null where it did not. */
export function concurrencyOf({ capabilities }: Pick<Worker, "capabilities">): number | null {
  return capabilitiesInput.safeParse(capabilities).data?.concurrency ?? null;
}
