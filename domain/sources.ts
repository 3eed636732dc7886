// The places that are backed up.
import * as z from "zod";
import { type Job, Prisma, type Source, SourceType } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { HostNotAllowedError, NotFoundError, RateLimitedError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId, nounOf } from "./ids.ts";
import { hostKeyInput, nameInput, parseInput } from "./input.ts";
import { createJob } from "./queue.ts";
import { refuseMoreSources } from "./quotas.ts";
import { isHostAllowed } from "./rules/host-policy.ts";
import { type Place, routeOf, sourceConfig } from "./rules/source-config.ts";
import { refuseSuspended } from "./tenants.ts";

const pinInput = hostKeyInput.nullish().transform((key) => key ?? null);

export interface CreateSourceInput {
  readonly tenantId: string;
  readonly type: SourceType;
  readonly name: string;
  readonly config?: unknown;
  readonly credentialId?: string | null | undefined;
  /** As a test showed them, `SHA256:…`, and as the customer accepted them: the source need not be tested again. */
  readonly hostKey?: string | null | undefined;
  readonly jumpHostKey?: string | null | undefined;
}

export async function createSource(hub: Hub, actor: Actor, input: CreateSourceInput): Promise<Source> {
  const { tenantId, type } = input;
  authorize(actor, tenantId, "createSource");
  const { name, config, ...keys } = parseInput(
    z.object({ name: nameInput, config: sourceConfig[type], hostKey: pinInput, jumpHostKey: pinInput }),
    input,
  );
  refuseHosts(hub, type, config);
  return transact(hub, async (tx) => {
    const tenant = await refuseSuspended(tx, tenantId);
    await refuseMoreSources(tx, tenant);
    const credentialId = await ownCredential(tx, tenantId, input.credentialId);
    const source = await tx.source.create({
      data: { id: newId("source", await now(tx)), tenantId, type, name, config: stored(config), credentialId, ...keys },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "createSource",
      objectId: source.id,
      after: { type, name, config: stored(config), credentialId, ...given(keys) },
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
  if (changes.config !== undefined) refuseHosts(hub, found.type, changes.config);
  return transact(hub, async (tx) => {
    const source = await tx.source.update({
      where: { id: found.id },
      data: {
        ...(changes.name !== undefined && { name: changes.name }),
        ...(changes.config !== undefined && { config: stored(changes.config) }),
        ...(changes.config !== undefined && forgottenKeys(found, changes.config)),
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
    await refuseScanning(hub, tx, source.tenantId);
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

export interface TestSourceDraftInput {
  readonly tenantId: string;
  readonly type: SourceType;
  readonly config?: unknown;
  readonly credentialId?: string | null | undefined;
}

/** Tests settings before a source is made of them. Nothing is pinned: the host keys found are for `createSource`, if they are accepted. */
export async function testSourceDraft(hub: Hub, actor: Actor, input: TestSourceDraftInput): Promise<Job> {
  const { tenantId, type } = input;
  authorize(actor, tenantId, "testSourceDraft");
  const { config } = parseInput(z.object({ config: sourceConfig[type] }), input);
  refuseHosts(hub, type, config);
  return transact(hub, async (tx, announce) => {
    await refuseSuspended(tx, tenantId);
    await refuseScanning(hub, tx, tenantId);
    const credentialId = await ownCredential(tx, tenantId, input.credentialId);
    const job = await createJob(tx, announce, {
      tenantId,
      type: "TEST_SOURCE",
      sourceDraft: { type, config: stored(config), credentialId },
      priority: 10,
      maxAttempts: 1,
    });
    await audit(tx, actor, {
      tenantId,
      verb: "testSourceDraft",
      objectId: job.id,
      after: { type, config: stored(config), credentialId },
    });
    return job;
  });
}

const draft = z.object({
  type: z.enum(SourceType),
  config: z.unknown(),
  credentialId: z.string().nullable(),
});

/** What a test without a saved source is about. */
export function parseDraft(stored: Prisma.JsonValue): z.infer<typeof draft> {
  return draft.parse(stored);
}

/** Forgets the pinned host keys, so that the next test pins those that the hosts show then. */
export async function acceptHostKey(hub: Hub, actor: Actor, { sourceId }: { sourceId: string }): Promise<Source> {
  const found = await requireSource(hub, actor, sourceId);
  authorize(actor, found.tenantId, "acceptHostKey");
  return transact(hub, async (tx) => {
    const source = await tx.source.update({ where: { id: found.id }, data: { hostKey: null, jumpHostKey: null } });
    await audit(tx, actor, {
      tenantId: found.tenantId,
      verb: "acceptHostKey",
      objectId: found.id,
      before: given({ hostKey: found.hostKey, jumpHostKey: found.jumpHostKey }),
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

/** What a worker would connect to by itself. What lies behind an SSH server is that server's business. */
function refuseHosts(hub: Hub, type: SourceType, config: unknown): void {
  const host = routeOf(type, config)?.first.host;
  if (host !== undefined && !isHostAllowed(host, hub.terms.allowedNetworks)) throw new HostNotAllowedError(host);
}

/** A test could be used to scan ports: throws `RateLimitedError` where a tenant starts too many. */
export async function refuseScanning(hub: Hub, tx: Transaction, tenantId: string): Promise<void> {
  const since = new Date((await now(tx)).getTime() - 60_000);
  const started = await tx.job.count({ where: { tenantId, type: "TEST_SOURCE", createdAt: { gt: since } } });
  if (started >= hub.terms.sourceTestsPerMinute) throw new RateLimitedError("source tests");
}

/** Another host or port is another machine, whose key nobody knows. */
function forgottenKeys({ type, config: before }: Source, after: unknown): { hostKey?: null; jumpHostKey?: null } {
  const [old, young] = [routeOf(type, before), routeOf(type, after)];
  return {
    ...(moved(old?.ssh, young?.ssh) && { hostKey: null }),
    ...(moved(old?.jump, young?.jump) && { jumpHostKey: null }),
  };
}

function moved(before: Place | null | undefined, after: Place | null | undefined): boolean {
  return before?.host !== after?.host || before?.port !== after?.port;
}

/** Without the settings that were left out. */
function stored(config: object): Prisma.InputJsonObject {
  return JSON.parse(JSON.stringify(config));
}

function given(keys: { hostKey?: string | null | undefined; jumpHostKey?: string | null | undefined }) {
  return Object.fromEntries(Object.entries(keys).filter(([, key]) => key != null)) as Prisma.InputJsonObject;
}

function facts(source: Source): Prisma.InputJsonObject {
  return {
    name: source.name,
    config: source.config ?? Prisma.JsonNull,
    credentialId: source.credentialId,
  } as Prisma.InputJsonObject;
}
