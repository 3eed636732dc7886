// The processes of the data plane: enrolled by an operator, known by a token, online while they are heard.
import * as z from "zod";
import { type JobType, type Prisma, SourceType, type Worker, type WorkerRole } from "../prisma/client/client.ts";
import { type Actor, authorizePlatform, isOperator, type WorkerActor } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, UnauthenticatedError, UpgradeRequiredError } from "./errors.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId, nounOf } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { hashToken, newToken } from "./secrets.ts";

/** Versions of the private protocol that this hub speaks. */
export const protocol = { oldest: 1, newest: 1 } as const;

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
});

const enrolWorkerInput = z.object({ name: nameInput });

/** Makes a worker and the token it signs in with, which is shown here and never again. */
export async function enrolWorker(
  hub: Hub,
  actor: Actor,
  input: { name: string; role: WorkerRole },
): Promise<{ worker: Worker; token: string }> {
  authorizePlatform(actor);
  const { name } = parseInput(enrolWorkerInput, input);
  const token = newToken("xvw_");
  return transact(asPlatform(hub), async (tx) => {
    const id = newId("worker", await now(tx));
    const worker = await tx.worker.create({ data: { id, name, role: input.role, tokenHash: hashToken(token) } });
    await audit(tx, actor, { tenantId: null, verb: "enrolWorker", objectId: id, after: { name, role: input.role } });
    return { worker, token };
  });
}

/** The worker with this token, made where there is none: for tokens that are kept beside the process they belong to. */
export async function ensureWorker(
  hub: Hub,
  input: { name: string; role: WorkerRole; token: string },
): Promise<Worker> {
  const tokenHash = hashToken(input.token);
  const known = await hub.platform.worker.findUnique({ where: { tokenHash } });
  // Its process is about to start: what is left of an earlier one does not count.
  if (known) return hub.platform.worker.update({ where: { id: known.id }, data: { status: "OFFLINE" } });
  return transact(asPlatform(hub), async (tx) => {
    const id = newId("worker", await now(tx));
    const worker = await tx.worker.create({ data: { id, name: input.name, role: input.role, tokenHash } });
    await audit(
      tx,
      { kind: "system" },
      { tenantId: null, verb: "enrolWorker", objectId: id, after: { name: input.name } },
    );
    return worker;
  });
}

export function countOnlineWorkers(hub: Hub): Promise<number> {
  return hub.platform.worker.count({ where: { status: "ONLINE" } });
}

/** The worker behind a token. Throws `UnauthenticatedError`. */
export async function authenticateWorker(hub: Hub, token: string): Promise<WorkerActor> {
  const row = await hub.platform.worker.findUnique({ where: { tokenHash: hashToken(token) }, select: { id: true } });
  if (!row) throw new UnauthenticatedError();
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
  await transact(asPlatform(hub), async (tx) => {
    const row = await requireWorker(tx, worker);
    if (row.role !== input.role)
      throw new InvalidInputError([{ path: "role", message: `This token was enrolled as ${row.role}.` }]);
    await tx.worker.update({
      where: { id: row.id },
      data: {
        status: "ONLINE",
        publicKey: input.publicKey,
        storageBase: input.storageBase ?? null,
        capabilities: capabilities as Prisma.InputJsonObject,
        lastSeenAt: await now(tx),
      },
    });
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
  const lastSeenAt = await now(hub.platform);
  await hub.platform.worker.update({
    where: { id: worker.workerId },
    data: { lastSeenAt, status: draining ? "DRAINING" : "ONLINE" },
  });
  return { serverTime: lastSeenAt };
}

/** Marks the workers that have not been heard for three beats. */
export async function markOfflineWorkers(hub: Hub): Promise<number> {
  return hub.platform.$executeRaw`
    UPDATE workers SET status = 'OFFLINE' WHERE status <> 'OFFLINE'
      AND last_seen_at < now() - make_interval(secs => ${hub.terms.heartbeatSeconds * 3})`;
}

/** What a worker may be given: by its role, by what it said of itself, and by whose stores it can read. */
export function serves(worker: Worker): { jobTypes: JobType[]; sourceTypes: SourceType[]; stores: string[] } {
  const said = capabilitiesInput.safeParse(worker.capabilities);
  if (!said.success) return { jobTypes: [], sourceTypes: [], stores: [] };
  return {
    jobTypes: jobTypesOf[worker.role].filter((type) => said.data.jobTypes.includes(type)),
    sourceTypes: Object.values(SourceType).filter((type) => said.data.sourceTypes.includes(type)),
    stores: worker.role === "RESTORE" ? said.data.readsStoresOf : [worker.id],
  };
}

/** Throws `UnauthenticatedError` where the worker has been removed. */
export async function requireWorker(tx: Transaction, { workerId }: WorkerActor): Promise<Worker> {
  const row = await tx.worker.findUnique({ where: { id: workerId } });
  if (!row) throw new UnauthenticatedError();
  return row;
}

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
