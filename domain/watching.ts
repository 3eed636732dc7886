// Which rows somebody may watch: those of a tenant, or of one of its sources.
import type { Actor } from "./actor.ts";
import { InvalidInputError, NotFoundError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import { findSource } from "./sources.ts";
import { findTenant } from "./tenants.ts";

export interface WatchedPart {
  readonly tenantId: string;
  /** The sources whose rows are meant; null: all of the tenant. */
  readonly sourceIds: readonly string[] | null;
}

/** Exactly one of the two is to be named. Throws `InvalidInputError` and `NotFoundError`. */
export async function findWatchedPart(
  hub: Hub,
  actor: Actor,
  { tenantId, sourceId }: { tenantId?: string | null | undefined; sourceId?: string | null | undefined },
): Promise<WatchedPart> {
  if ((tenantId == null) === (sourceId == null))
    throw new InvalidInputError([{ path: "", message: "Name a tenant or a source, and not both." }]);
  if (sourceId != null) {
    const source = await findSource(hub, actor, sourceId);
    if (!source) throw new NotFoundError();
    return { tenantId: source.tenantId, sourceIds: [source.id] };
  }
  const tenant = await findTenant(hub, actor, tenantId ?? "");
  if (!tenant) throw new NotFoundError();
  const isBounded = actor.kind === "apiKey" && actor.sourceIds.length > 0;
  return { tenantId: tenant.id, sourceIds: isBounded ? actor.sourceIds : null };
}

/** Whether this is still theirs to see. */
export function mayWatch(actor: Actor, { tenantId, sourceIds }: WatchedPart): boolean {
  if (actor.kind === "system") return true;
  if (!actor.roles.has(tenantId)) return false;
  if (actor.kind !== "apiKey" || actor.sourceIds.length === 0) return true;
  return sourceIds?.every((id) => actor.sourceIds.includes(id)) ?? false;
}
