// Writes down who did what to which object, in the transaction that did it, and shows it. Callers hand in no secrets.
import type { AuditEvent, Prisma } from "../prisma/client/client.ts";
import { type Actor, authorize, authorizePlatform, isAuthorized, type WorkerActor } from "./actor.ts";
import { type Hub, now, type Transaction } from "./hub.ts";
import { newId } from "./ids.ts";

export interface AuditFacts {
  readonly tenantId: string | null;
  /** The verb, spelled as the mutation. */
  readonly verb: string;
  readonly objectId: string | null;
  readonly before?: Prisma.InputJsonValue;
  readonly after?: Prisma.InputJsonValue;
}

export async function audit(tx: Transaction, actor: Actor | WorkerActor, facts: AuditFacts): Promise<void> {
  await tx.auditEvent.create({
    data: {
      id: newId("auditEvent", await now(tx)),
      actorKind: actor.kind,
      actorId: idOf(actor),
      ...facts,
    },
  });
}

function idOf(actor: Actor | WorkerActor): string | null {
  switch (actor.kind) {
    case "user":
      return actor.userId;
    case "apiKey":
      return actor.apiKeyId;
    case "worker":
      return actor.workerId;
    case "system":
      return null;
  }
}

/** What was done in a tenant. Throws `ForbiddenError` below admin, and for a key that is good for some sources alone. */
export function listAuditEvents(
  hub: Hub,
  actor: Actor,
  tenantId: string,
  query: Prisma.AuditEventFindManyArgs,
): Promise<AuditEvent[]> {
  authorize(actor, tenantId, "readAudit");
  return hub.db.auditEvent.findMany({ ...query, where: { AND: [{ tenantId }, query.where ?? {}] } });
}

export function countAuditEvents(
  hub: Hub,
  actor: Actor,
  tenantId: string,
  where: Prisma.AuditEventWhereInput,
): Promise<number> {
  authorize(actor, tenantId, "readAudit");
  return hub.db.auditEvent.count({ where: { AND: [{ tenantId }, where] } });
}

/** What was done on the platform and in all of its tenants. Throws `ForbiddenError` for everybody but operators. */
export function listAllAuditEvents(
  hub: Hub,
  actor: Actor,
  query: Prisma.AuditEventFindManyArgs,
): Promise<AuditEvent[]> {
  authorizePlatform(actor);
  return hub.platform.auditEvent.findMany(query);
}

export function countAllAuditEvents(hub: Hub, actor: Actor, where: Prisma.AuditEventWhereInput): Promise<number> {
  authorizePlatform(actor);
  return hub.platform.auditEvent.count({ where });
}

/** Whether they may see what exactly was changed, and by whom: of a tenant, its own admins alone. Events of no tenant reach operators alone. */
export function mayReadFacts(actor: Actor, { tenantId }: { tenantId: string | null }): boolean {
  return tenantId === null || isAuthorized(actor, tenantId, "readAudit");
}

/** What the people, keys and workers with these ids are called, as far as `db` sees them: in one statement. */
export async function actorNames(db: Transaction, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await db.$queryRaw<{ id: string; name: string }[]>`
    SELECT id, COALESCE(NULLIF(name, ''), email) AS name FROM users WHERE id = ANY(${[...ids]}::text[])
    UNION ALL SELECT id, name FROM api_keys WHERE id = ANY(${[...ids]}::text[])`;
  return new Map(rows.map(({ id, name }) => [id, name]));
}

export interface AuditFilter {
  readonly verbs?: readonly string[] | null | undefined;
  readonly actorId?: string | null | undefined;
  readonly objectId?: string | null | undefined;
  readonly after?: Date | null | undefined;
  readonly before?: Date | null | undefined;
}

/** The events that a filter leaves. */
export function auditWhere({ verbs, actorId, objectId, after, before }: AuditFilter): Prisma.AuditEventWhereInput {
  return {
    ...(verbs && { verb: { in: verbs.filter(isName).slice(0, 100) } }),
    ...(actorId != null && { actorId: isName(actorId) ? actorId : "" }),
    ...(objectId != null && { objectId: isName(objectId) ? objectId : "" }),
    ...((after || before) && {
      at: { ...(after && { gte: storable(after) }), ...(before && { lt: storable(before) }) },
    }),
  };
}

/** What no verb and no id looks like matches nothing, and is not shown to the database. */
function isName(text: string): boolean {
  return /^[\w-]{1,64}$/.test(text);
}

/** Nothing was done before 1970, and not every older year can be said to the database. */
function storable(at: Date): Date {
  return at.getTime() > 0 ? at : new Date(0);
}
