// Keys that programs sign in with: for one tenant, with a role of their own, shown once.
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { type ApiKey, Prisma, type Role } from "../prisma/client/client.ts";
import { type Actor, type ApiKeyActor, authorize, isAuthorized, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { ForbiddenError, InvalidInputError, NotFoundError } from "./errors.ts";
import { type Hub, now, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import { lockRole } from "./memberships.ts";
import { isAbove } from "./rules/permissions.ts";
import { hashToken, isSameHash, newToken } from "./secrets.ts";
import { refuseSuspended } from "./tenants.ts";

const createApiKeyInput = z.object({
  name: nameInput,
  role: z.enum(["VIEWER", "MEMBER", "ADMIN"], "A key is no owner: give it another role."),
  expiresAt: z.date().nullable(),
  sourceIds: z.array(z.string()).max(100, "Name at most 100 sources."),
});

export interface CreateApiKeyInput {
  readonly tenantId: string;
  readonly name: string;
  readonly role: Role;
  readonly expiresAt?: Date | null | undefined;
  /** None: good for all of the tenant. */
  readonly sourceIds?: readonly string[] | null | undefined;
}

/** A key with a role up to its maker's, and its token, which is shown here and never again. */
export async function createApiKey(
  hub: Hub,
  actor: Actor,
  { tenantId, ...input }: CreateApiKeyInput,
): Promise<{ apiKey: ApiKey; token: string }> {
  authorize(actor, tenantId, "createApiKey");
  const { name, role, expiresAt, ...chosen } = parseInput(createApiKeyInput, {
    ...input,
    expiresAt: input.expiresAt ?? null,
    sourceIds: input.sourceIds ?? [],
  });
  const sourceIds = [...new Set(chosen.sourceIds)];
  // The prefix finds the key and may be seen by anybody; all 256 bits of the secret stand behind it.
  const prefix = `xva_${randomBytes(6).toString("hex")}`;
  const token = newToken(`${prefix}_`);
  return transact(hub, async (tx) => {
    const own = await lockRole(tx, actor, tenantId, "createApiKey");
    if (isAbove(role, own)) throw new ForbiddenError();
    await refuseSuspended(tx, tenantId);
    const at = await now(tx);
    if (expiresAt && expiresAt <= at)
      throw new InvalidInputError([{ path: "expiresAt", message: "This time is over already." }]);
    for (const id of sourceIds)
      if (
        !(await tx.source.findFirst({ where: { ...visibleRow(actor, id), AND: { tenantId } }, select: { id: true } }))
      )
        throw new NotFoundError();
    const apiKey = await tx.apiKey.create({
      data: {
        ...{ id: newId("apiKey", at), tenantId, name, prefix, tokenHash: hashToken(token), role, sourceIds, expiresAt },
        createdBy: actor.kind === "user" ? actor.userId : null,
      },
    });
    await audit(tx, actor, {
      ...{ tenantId, verb: "createApiKey", objectId: apiKey.id },
      after: { name, role, prefix, sourceIds, expiresAt: expiresAt?.toISOString() ?? null },
    });
    return { apiKey, token };
  });
}

/** Ends a key at once and for good; one that has ended stays as it is. */
export async function revokeApiKey(hub: Hub, actor: Actor, { apiKeyId }: { apiKeyId: string }): Promise<ApiKey> {
  const found = await hub.db.apiKey.findFirst({ where: visibleRow(actor, apiKeyId) });
  if (!found) throw new NotFoundError();
  const { id, tenantId, name, role, prefix } = found;
  authorize(actor, tenantId, "revokeApiKey");
  return transact(hub, async (tx) => {
    const { count } = await tx.apiKey.updateMany({
      where: { id, revokedAt: null },
      data: { revokedAt: await now(tx) },
    });
    if (count > 0)
      await audit(tx, actor, { tenantId, verb: "revokeApiKey", objectId: id, before: { name, role, prefix } });
    return tx.apiKey.findUniqueOrThrow({ where: { id } });
  });
}

/** A key that was just proven, and until when it is good. */
export interface ProvenApiKey {
  readonly actor: ApiKeyActor;
  readonly expiresAt: Date | null;
}

/** The key behind a token, noted as used; null for what is unknown, expired or revoked. */
export async function proveApiKey(hub: Hub, token: string): Promise<ProvenApiKey | null> {
  const prefix = /^(xva_[0-9a-f]{12})_[A-Za-z0-9_-]{43}$/.exec(token)?.[1];
  if (!prefix) return null;
  const usable = await findUsable(hub, Prisma.sql`prefix = ${prefix}`);
  if (!usable || !isSameHash(hashToken(token), usable.tokenHash)) return null;
  return { actor: await use(hub, usable), expiresAt: usable.expiresAt };
}

/** The key with the role of this moment; null once it is revoked or expired. */
export async function findApiKeyActor(hub: Hub, apiKeyId: string): Promise<ApiKeyActor | null> {
  const usable = await findUsable(hub, Prisma.sql`id = ${apiKeyId}`);
  return usable && use(hub, usable);
}

interface UsableKey extends Pick<ApiKey, "id" | "tenantId" | "role" | "sourceIds" | "tokenHash" | "expiresAt"> {
  /** Whether its last use was not written down within the last minute. */
  readonly isUnnoted: boolean;
}

async function findUsable(hub: Hub, which: Prisma.Sql): Promise<UsableKey | null> {
  const [row] = await hub.platform.$queryRaw<UsableKey[]>`
    SELECT id, tenant_id AS "tenantId", role, source_ids AS "sourceIds", token_hash AS "tokenHash", expires_at AS "expiresAt",
           coalesce(last_used_at < now() - interval '1 minute', true) AS "isUnnoted"
      FROM api_keys WHERE ${which} AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`;
  return row ?? null;
}

async function use(hub: Hub, { id, tenantId, role, sourceIds, isUnnoted }: UsableKey): Promise<ApiKeyActor> {
  if (isUnnoted) await hub.platform.$executeRaw`UPDATE api_keys SET last_used_at = now() WHERE id = ${id}`;
  return { kind: "apiKey", apiKeyId: id, tenantId, roles: new Map([[tenantId, role]]), sourceIds };
}

/** One of those that `listApiKeys` lists; null for whoever may not see it. */
export async function findApiKey(hub: Hub, actor: Actor, id: string): Promise<ApiKey | null> {
  const found = await hub.db.apiKey.findFirst({ where: visibleRow(actor, id) });
  return found && isAuthorized(actor, found.tenantId, "readApiKeys") ? found : null;
}

/** Throws `ForbiddenError` for those who may not make keys. */
export function listApiKeys(
  hub: Hub,
  actor: Actor,
  tenantId: string,
  query: Prisma.ApiKeyFindManyArgs,
): Promise<ApiKey[]> {
  authorize(actor, tenantId, "readApiKeys");
  return hub.db.apiKey.findMany({ ...query, where: { AND: [{ tenantId }, query.where ?? {}] } });
}

/** Throws `ForbiddenError` for those who may not make keys. */
export function countApiKeys(hub: Hub, actor: Actor, tenantId: string): Promise<number> {
  authorize(actor, tenantId, "readApiKeys");
  return hub.db.apiKey.count({ where: { tenantId } });
}
