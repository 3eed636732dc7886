// Who is acting, and what their roles let them do.
import type { Role } from "../prisma/client/client.ts";
import { ForbiddenError, NotFoundError } from "./errors.ts";
import { nounOf } from "./ids.ts";
import { may, mayWithKey, type Verb } from "./rules/permissions.ts";

/** A person, with the roles they have at this moment. */
export interface UserActor {
  readonly kind: "user";
  readonly userId: string;
  readonly platformAdmin: boolean;
  readonly roles: ReadonlyMap<string, Role>;
}

/** A program that signs in with a key of a tenant. */
export interface ApiKeyActor {
  readonly kind: "apiKey";
  readonly apiKeyId: string;
  readonly tenantId: string;
  /** The one tenant of the key, with the key's role. */
  readonly roles: ReadonlyMap<string, Role>;
  /** The sources that it is good for; empty: all of the tenant. The wall in the database holds to it. */
  readonly sourceIds: readonly string[];
}

/** The platform itself: schedules, sweeps, first start. */
export interface SystemActor {
  readonly kind: "system";
}

export type Actor = UserActor | ApiKeyActor | SystemActor;

/** A process of the data plane, known by its token. */
export interface WorkerActor {
  readonly kind: "worker";
  readonly workerId: string;
}

/**
 * The gate of every verb. Throws `NotFoundError` where the actor has no part in the tenant (the same answer as for an id
 * that does not exist) and `ForbiddenError` where their role is not enough.
 */
export function authorize(actor: Actor, tenantId: string, verb: Verb): void {
  if (actor.kind === "system") return;
  const role = actor.roles.get(tenantId);
  if (role === undefined) throw new NotFoundError();
  if (!allows(actor, role, verb)) throw new ForbiddenError();
}

/** What is for people alone, about themselves. Throws `ForbiddenError` for keys. */
export function authorizePerson(actor: Actor): UserActor {
  if (actor.kind !== "user") throw new ForbiddenError();
  return actor;
}

/** Throws `ForbiddenError` for everybody but the operators of the platform. */
export function authorizePlatform(actor: Actor): void {
  if (!isOperator(actor)) throw new ForbiddenError();
}

/** Whether they operate the platform. */
export function isOperator(actor: Actor): boolean {
  return actor.kind === "system" || (actor.kind === "user" && actor.platformAdmin);
}

/** Whether `authorize` would let them: what `viewerCan…` fields answer. */
export function isAuthorized(actor: Actor, tenantId: string, verb: Verb): boolean {
  if (actor.kind === "system") return true;
  const role = actor.roles.get(tenantId);
  return role !== undefined && allows(actor, role, verb);
}

function allows(actor: UserActor | ApiKeyActor, role: Role, verb: Verb): boolean {
  return actor.kind === "user" ? may(role, verb) : mayWithKey(role, verb, { someSources: actor.sourceIds.length > 0 });
}

/** The row with this id where the actor may see it, as a filter for Prisma. What is no id of ours matches nothing. */
export function visibleRow(actor: Actor, id: string): { id: string; tenantId?: { in: string[] } } {
  const known = { id: nounOf(id) ? id : "" };
  return actor.kind === "system" ? known : { ...known, tenantId: { in: [...actor.roles.keys()] } };
}
