// The places that are backed up.
import * as z from "zod";
import { type Job, Prisma, type Source, type SourceType } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { NotFoundError, QuotaExceededError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId, nounOf } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { createJob } from "./queue.ts";
import { sourceConfig } from "./rules/source-config.ts";
import { refuseSuspended } from "./tenants.ts";

export interface CreateSourceInput {
  readonly tenantId: string;
  readonly type: SourceType;
  readonly name: string;
  readonly config?: unknown;
  readonly credentialId?: string | null | undefined;
}

export async function createSource(hub: Hub, actor: Actor, input: CreateSourceInput): Promise<Source> {
  const { tenantId, type } = input;
  authorize(actor, tenantId, "createSource");
  const { name, config } = parseInput(z.object({ name: nameInput, config: sourceConfig[type] }), input);
  return transact(hub, async (tx) => {
    const tenant = await refuseSuspended(tx, tenantId);
    if (tenant.maxSources !== null && (await tx.source.count({ where: { tenantId } })) >= tenant.maxSources)
      throw new QuotaExceededError("sources", tenant.maxSources);
    const credentialId = await ownCredential(tx, tenantId, input.credentialId);
    const source = await tx.source.create({
      data: { id: newId("source", await now(tx)), tenantId, type, name, config, credentialId },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "createSource",
      objectId: source.id,
      after: { type, name, config, credentialId },
    });
    return source;
  });
}

export interface UpdateSourceInput {
  readonly sourceId: string;
  readonly name?: string | null | undefined;
  readonly config?: unknown;
  readonly credentialId?: string | null | undefined;
}

/** Changes what is given and keeps the rest. Another host or port forgets the pinned host key: it was another machine's. */
export async function updateSource(hub: Hub, actor: Actor, input: UpdateSourceInput): Promise<Source> {
  const found = await requireSource(hub, actor, input.sourceId);
  authorize(actor, found.tenantId, "updateSource");
  const { tenantId } = found;
  const changes = parseInput(z.object({ name: nameInput.optional(), config: sourceConfig[found.type].optional() }), {
    name: input.name ?? undefined,
    config: input.config ?? undefined,
  });
  return transact(hub, async (tx) => {
    const source = await tx.source.update({
      where: { id: found.id },
      data: {
        ...(changes.name !== undefined && { name: changes.name }),
        ...(changes.config !== undefined && { config: changes.config }),
        ...(changes.config !== undefined && movedHost(found.config, changes.config) && { hostKey: null }),
        ...(input.credentialId && { credentialId: await ownCredential(tx, tenantId, input.credentialId) }),
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "updateSource",
      objectId: found.id,
      before: facts(found),
      after: facts(source),
    });
    return source;
  });
}

/** Starts a test: a job that connects, reports what it finds, and pins the host key where none is pinned yet. */
export async function testSource(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Job> {
  const source = await requireSource(hub, actor, sourceId);
  authorize(actor, source.tenantId, "testSource");
  return transact(hub, async (tx, announce) => {
    await refuseSuspended(tx, source.tenantId);
    const job = await createJob(tx, announce, {
      tenantId: source.tenantId,
      type: "TEST_SOURCE",
      sourceId: source.id,
      priority: 10,
      maxAttempts: 1,
    });
    await audit(tx, actor, { tenantId: source.tenantId, verb: "testSource", objectId: source.id });
    return job;
  });
}

/** Forgets the pinned host key, so that the next test pins the key that the host shows then. */
export async function acceptHostKey(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Source> {
  const found = await requireSource(hub, actor, sourceId);
  authorize(actor, found.tenantId, "acceptHostKey");
  return transact(hub, async (tx) => {
    const source = await tx.source.update({ where: { id: found.id }, data: { hostKey: null } });
    await audit(tx, actor, {
      tenantId: found.tenantId,
      verb: "acceptHostKey",
      objectId: found.id,
      before: { hostKey: found.hostKey },
    });
    return source;
  });
}

export function findSource(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.SourceDefaultArgs = {},
): Promise<Source | null> {
  return hub.db.source.findFirst({ ...query, where: visibleRow(actor, id) });
}

/** Throws `NotFoundError`. */
export async function requireSource(hub: Hub, actor: Actor, id: string): Promise<Source> {
  const source = await findSource(hub, actor, id);
  if (!source) throw new NotFoundError();
  return source;
}

async function ownCredential(tx: Transaction, tenantId: string, id: string | null | undefined): Promise<string | null> {
  if (!id) return null;
  const credential = nounOf(id) && (await tx.credential.findUnique({ where: { tenantId_id: { tenantId, id } } }));
  if (!credential) throw new NotFoundError();
  return credential.id;
}

function movedHost(before: Prisma.JsonValue, after: { host: string; port: number }): boolean {
  const old = z.object({ host: z.string(), port: z.number() }).safeParse(before);
  return !old.success || old.data.host !== after.host || old.data.port !== after.port;
}

function facts(source: Source): Prisma.InputJsonObject {
  return {
    name: source.name,
    config: source.config ?? Prisma.JsonNull,
    credentialId: source.credentialId,
  } as Prisma.InputJsonObject;
}
