// The processes of the data plane as they speak for themselves: known by a token, online while they are heard. How they join is in
// enrolments.ts, and what operators do with them in fleet.ts.
import * as z from "zod";
import { type JobType, type Prisma, SourceType, type Worker, type WorkerRole } from "../prisma/client/client.ts";
import type { WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, UnauthenticatedError, UpgradeRequiredError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import type { Served } from "./rules/lanes.ts";
import { hashToken } from "./secrets.ts";

/** Versions of the private protocol that this hub speaks. 2: a claim says how long its attempt may take. */
export const protocol = { oldest: 1, newest: 2 } as const;

const jobTypesOf: Record<WorkerRole, readonly JobType[]> = {
  BACKUP: ["BACKUP", "TEST_SOURCE", "DELETE_SNAPSHOT", "VERIFY"],
  RESTORE: ["RESTORE"],
};

const capabilitiesInput = z.object({
  version: z.string().max(64),
  jobTypes: z.array(z.string().max(32)).max(16),
  sourceTypes: z.array(z.string().max(32)).max(16),
  tools: z.record(z.string().max(64), z.unknown()),
  readsStoresOf: z.array(z.string().max(64)).max(1000),
  /** Most jobs that it holds at a time; workers of an earlier version do not say. */
  concurrency: z.number().int().min(1).max(1000).nullish(),
});

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
  return { workerId: worker.workerId, leaseSeconds, heartbeatSeconds };
}

export async function heartbeat(
  hub: Hub,
  worker: WorkerActor,
  { draining }: { draining: boolean },
): Promise<{ serverTime: Date }> {
  const [heard] = await hub.platform.$queryRaw<{ serverTime: Date }[]>`
    UPDATE workers SET last_seen_at = now(),
      status = CASE WHEN ${draining} OR drained_at IS NOT NULL THEN 'DRAINING' ELSE 'ONLINE' END::worker_status
    WHERE id = ${worker.workerId} AND retired_at IS NULL RETURNING last_seen_at AS "serverTime"`;
  if (!heard) throw new UnauthenticatedError();
  return heard;
}

/** Marks the workers that have not been heard for three beats. */
export async function markOfflineWorkers(hub: Hub): Promise<number> {
  const marked = await hub.platform.$executeRaw`
    UPDATE workers SET status = 'OFFLINE' WHERE status <> 'OFFLINE'
      AND last_seen_at < now() - make_interval(secs => ${hub.terms.heartbeatSeconds * 3})`;
  if (marked > 0) hub.announce.workersChanged();
  return marked;
}

/** What a worker may be given: by its role, by what it said of itself, and by whose stores it can read. */
export function serves(worker: Worker): Served & { jobTypes: JobType[]; concurrency: number | null } {
  const said = capabilitiesInput.safeParse(worker.capabilities);
  if (!said.success) return { jobTypes: [], sourceTypes: [], stores: [], concurrency: null };
  return {
    jobTypes: jobTypesOf[worker.role].filter((type) => said.data.jobTypes.includes(type)),
    sourceTypes: Object.values(SourceType).filter((type) => said.data.sourceTypes.includes(type)),
    stores: worker.role === "RESTORE" ? said.data.readsStoresOf : [worker.id],
    concurrency: said.data.concurrency ?? null,
  };
}

/** As `requireWorker`; to the end of the transaction this worker claims nothing elsewhere. */
export async function lockWorker(tx: Transaction, worker: WorkerActor): Promise<Worker> {
  await tx.$queryRaw`SELECT id FROM workers WHERE id = ${worker.workerId} FOR NO KEY UPDATE`;
  return requireWorker(tx, worker);
}

/** Throws `UnauthenticatedError` where the worker has been removed or retired. */
export async function requireWorker(tx: Transaction, { workerId }: WorkerActor): Promise<Worker> {
  const row = await tx.worker.findUnique({ where: { id: workerId } });
  if (!row || row.retiredAt) throw new UnauthenticatedError();
  return row;
}
