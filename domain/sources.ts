// The places that are backed up.
import * as z from "zod";
import { Prisma, type Source, type SourceType } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { HostNotAllowedError, NotFoundError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId, nounOf } from "./ids.ts";
import { hostKeyInput, nameInput, parseInput } from "./input.ts";
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
  /** Its backups read no faster; null, as without it: as fast as they can. */
  readonly maxBytesPerSecond?: bigint | number | null | undefined;
}

/** The least is what keeps a source from looking stalled; the most is 1 TiB a second. */
const rateInput = z.coerce
  .bigint()
  .min(65_536n, "At least 65536 bytes a second.")
  .max(2n ** 40n, "At most 1 TiB a second.")
  .nullable();

export async function createSource(hub: Hub, actor: Actor, input: CreateSourceInput): Promise<Source> {
  const { tenantId, type } = input;
  authorize(actor, tenantId, "createSource");
  const { name, config, maxBytesPerSecond, ...keys } = parseInput(
    z.object({
      name: nameInput,
      config: sourceConfig[type],
      hostKey: pinInput,
      jumpHostKey: pinInput,
      maxBytesPerSecond: rateInput,
    }),
    { ...input, maxBytesPerSecond: input.maxBytesPerSecond ?? null },
  );
  refuseHosts(hub, type, config);
  return transact(hub, async (tx) => {
    const tenant = await refuseSuspended(tx, tenantId);
    await refuseMoreSources(tx, tenant);
    const credentialId = await ownCredential(tx, tenantId, input.credentialId);
    const source = await tx.source.create({
      data: {
        ...{ id: newId("source", await now(tx)), tenantId, type, name, config: stored(config), credentialId, ...keys },
        maxBytesPerSecond,
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "createSource",
      objectId: source.id,
      after: { type, name, config: stored(config), credentialId, ...given(keys), ...rated(maxBytesPerSecond) },
    });
    return source;
  });
}

export interface UpdateSourceInput {
  readonly sourceId: string;
  readonly name?: string | null | undefined;
  readonly config?: unknown;
  readonly credentialId?: string | null | undefined;
  /** Null lifts the limit. */
  readonly maxBytesPerSecond?: bigint | number | null | undefined;
}

/** Changes what is given and keeps the rest. Another host or port forgets the pinned host key: it was another machine's. */
export async function updateSource(hub: Hub, actor: Actor, input: UpdateSourceInput): Promise<Source> {
  const found = await requireSource(hub, actor, input.sourceId);
  authorize(actor, found.tenantId, "updateSource");
  const { tenantId } = found;
  const wanted = z.object({
    name: nameInput.optional(),
    config: sourceConfig[found.type].optional(),
    maxBytesPerSecond: rateInput.optional(),
  });
  const changes = parseInput(wanted, {
    name: input.name ?? undefined,
    config: input.config ?? undefined,
    maxBytesPerSecond: input.maxBytesPerSecond,
  });
  if (changes.config !== undefined) refuseHosts(hub, found.type, changes.config);
  return transact(hub, async (tx) => {
    const source = await tx.source.update({
      where: { id: found.id },
      data: {
        ...(changes.name !== undefined && { name: changes.name }),
        ...(changes.config !== undefined && { config: stored(changes.config) }),
        ...(changes.config !== undefined && forgottenKeys(found, changes.config)),
        ...(changes.maxBytesPerSecond !== undefined && { maxBytesPerSecond: changes.maxBytesPerSecond }),
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

/** The source by its id; one that was deleted is found no more. */
export function findSource(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.SourceDefaultArgs = {},
): Promise<Source | null> {
  return hub.db.source.findFirst({ ...query, where: { ...visibleRow(actor, id), deletedAt: null } });
}

/** Throws `NotFoundError`. */
export async function requireSource(hub: Hub, actor: Actor, id: string): Promise<Source> {
  const source = await findSource(hub, actor, id);
  if (!source) throw new NotFoundError();
  return source;
}

/**
 * Keeps the source as it is until the transaction ends: what begins on it and its deletion take turns. Throws `NotFoundError`
 * where it was deleted meanwhile.
 */
export async function holdSource(tx: Transaction, id: string): Promise<Pick<Source, "status">> {
  const [source] = await tx.$queryRaw<Pick<Source, "status">[]>`
    SELECT status::text FROM sources WHERE id = ${id} AND deleted_at IS NULL FOR SHARE`;
  if (!source) throw new NotFoundError();
  return source;
}

/** The id of a credential of the same tenant, or null for none. Throws `NotFoundError`. */
export async function ownCredential(
  tx: Transaction,
  tenantId: string,
  id: string | null | undefined,
): Promise<string | null> {
  if (!id) return null;
  const credential = nounOf(id) && (await tx.credential.findUnique({ where: { tenantId_id: { tenantId, id } } }));
  if (!credential) throw new NotFoundError();
  return credential.id;
}

/** Throws `HostNotAllowedError`. What a worker would connect to by itself. What lies behind an SSH server is that server's business. */
export function refuseHosts(hub: Hub, type: SourceType, config: unknown): void {
  const host = routeOf(type, config)?.first.host;
  if (host !== undefined && !isHostAllowed(host, hub.terms.allowedNetworks)) throw new HostNotAllowedError(host);
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

/** Settings as they are stored: without those that were left out. */
export function stored(config: object): Prisma.InputJsonObject {
  return JSON.parse(JSON.stringify(config));
}

function given(keys: { hostKey?: string | null | undefined; jumpHostKey?: string | null | undefined }) {
  return Object.fromEntries(Object.entries(keys).filter(([, key]) => key != null)) as Prisma.InputJsonObject;
}

/** What the audit log says of a source. */
export function facts(source: Source): Prisma.InputJsonObject {
  return {
    name: source.name,
    config: source.config ?? Prisma.JsonNull,
    credentialId: source.credentialId,
    ...rated(source.maxBytesPerSecond),
  } as Prisma.InputJsonObject;
}

/** Only where there is one: most sources have none. */
function rated(maxBytesPerSecond: bigint | null): { maxBytesPerSecond?: string } {
  return maxBytesPerSecond === null ? {} : { maxBytesPerSecond: String(maxBytesPerSecond) };
}
