// How a process of the data plane joins: an operator makes a token for it that works once, and it takes a token of its own for that.
import * as z from "zod";
import type { Worker, WorkerEnrolment, WorkerRole } from "../prisma/client/client.ts";
import { type Actor, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { UnauthenticatedError } from "./errors.ts";
import { asPlatform, type Hub, now, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { hashToken, newToken } from "./secrets.ts";

const enrolWorkerInput = z.object({ name: nameInput });
const enrolmentHours = 24;

/** Makes a token that lets one process join, once and within a day. It is shown here and never again. For operators. */
export async function enrolWorker(
  hub: Hub,
  actor: Actor,
  input: { name: string; role: WorkerRole },
): Promise<{ enrolment: WorkerEnrolment; token: string }> {
  authorizePlatform(actor);
  const { name } = parseInput(enrolWorkerInput, input);
  const { role } = input;
  const token = newToken("xve_");
  return transact(asPlatform(hub), async (tx) => {
    const at = await now(tx);
    const id = newId("workerEnrolment", at);
    const expiresAt = new Date(at.getTime() + enrolmentHours * 3_600_000);
    const enrolment = await tx.workerEnrolment.create({
      data: { id, name, role, tokenHash: hashToken(token), expiresAt },
    });
    const after = { name, role, expiresAt: expiresAt.toISOString() };
    await audit(tx, actor, { tenantId: null, verb: "enrolWorker", objectId: id, after });
    return { enrolment, token };
  });
}

/**
 * Makes the worker that a token was made for, and the token that it signs in with from now on, which is shown here and never again.
 * Of several who bring the same token at once, one gets in. Throws `UnauthenticatedError` for a token that is unknown, used or expired,
 * and does not say which.
 */
export async function enrol(hub: Hub, enrolmentToken: string): Promise<{ workerId: string; token: string }> {
  const token = newToken("xvw_");
  return transact(asPlatform(hub), async (tx) => {
    const at = await now(tx);
    const workerId = newId("worker", at);
    const [used] = await tx.workerEnrolment.updateManyAndReturn({
      where: { tokenHash: hashToken(enrolmentToken), usedAt: null, expiresAt: { gt: at } },
      data: { usedAt: at, workerId },
    });
    if (!used) throw new UnauthenticatedError();
    const { id: enrolmentId, name, role } = used;
    await tx.worker.create({ data: { id: workerId, name, role, tokenHash: hashToken(token) } });
    const after = { enrolmentId, name, role };
    await audit(tx, { kind: "worker", workerId }, { tenantId: null, verb: "enrol", objectId: workerId, after });
    return { workerId, token };
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
  const { name, role } = input;
  return transact(asPlatform(hub), async (tx) => {
    const id = newId("worker", await now(tx));
    const worker = await tx.worker.create({ data: { id, name, role, tokenHash } });
    await audit(tx, { kind: "system" }, { tenantId: null, verb: "enrol", objectId: id, after: { name, role } });
    return worker;
  });
}
