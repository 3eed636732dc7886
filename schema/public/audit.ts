// Who did what to which object: of a tenant for its admins, of the platform for its operators.
import {
  actorNames,
  auditWhere,
  countAllAuditEvents,
  countAuditEvents,
  listAllAuditEvents,
  listAuditEvents,
  mayReadFacts,
} from "../../domain/audit.ts";
import type { AuditEvent as Row } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import type { PublicContext } from "./context.ts";
import { byAge, gatedList, listing, ordersOf, rootList } from "./listing.ts";
import { gathered } from "./loaders.ts";
import { Tenant } from "./tenant.ts";

const AuditActorKind = builder.enumType("AuditActorKind", {
  description: "Who can do something.",
  values: {
    USER: { value: "user", description: "A person." },
    API_KEY: { value: "apiKey", description: "A program, with an API key." },
    WORKER: { value: "worker", description: "A worker or a restore service." },
    SYSTEM: { value: "system", description: "The platform by itself." },
  } as const,
});

const namesOfTenants = gathered(({ hub }, ids) => actorNames(hub.db, ids));
const namesOfPlatform = gathered(({ hub }, ids) => actorNames(hub.platform, ids));

/** Null: to be found out in vain, such as somebody who has left. */
async function nameOf({ actorId, tenantId }: Row, context: PublicContext): Promise<string | null> {
  if (actorId === null) return null;
  return (await (tenantId === null ? namesOfPlatform : namesOfTenants)(context, actorId)) ?? null;
}

const AuditEvent = builder.prismaObject("AuditEvent", {
  description: "Something that was done. What is written here is never changed and never removed, and holds no secret.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`aud_…`" }),
    at: t.expose("at", { type: "DateTime", description: "When." }),
    verb: t.exposeString("verb", { description: "What, spelled as the mutation is." }),
    tenantId: t.exposeID("tenantId", { nullable: true, description: "In which tenant; null: on the platform." }),
    actorKind: t.field({
      type: AuditActorKind,
      description: "Who did it.",
      resolve: ({ actorKind }) => actorKind as (typeof AuditActorKind)["$inferType"],
    }),
    actorId: t.exposeID("actorId", { nullable: true, description: "Who exactly; null: the platform by itself." }),
    actorName: t.string({
      nullable: true,
      description: "What the person or the key is called; null for who is gone, or is not yours to know.",
      resolve: (event, _, context) => (mayReadFacts(context.actor(), event) ? nameOf(event, context) : null),
    }),
    objectId: t.exposeID("objectId", { nullable: true, description: "To what." }),
    before: t.field({
      type: "JSON",
      nullable: true,
      description: "What was so before, as far as it was changed; of a tenant's events for its admins alone.",
      resolve: (event, _, { actor }) => (mayReadFacts(actor(), event) ? event.before : null),
    }),
    after: t.field({
      type: "JSON",
      nullable: true,
      description: "What is so since then; of a tenant's events for its admins alone.",
      resolve: (event, _, { actor }) => (mayReadFacts(actor(), event) ? event.after : null),
    }),
  }),
});

const AuditEventConnection = builder.connectionObject(
  { type: AuditEvent, name: "AuditEventConnection", description: "A page of events: 20 by default, 100 at most." },
  { name: "AuditEventEdge", description: "An event on its page." },
);

const AuditEventFilter = builder.inputType("AuditEventFilter", {
  description: "Which events; what is left out does not matter.",
  fields: (t) => ({
    verbs: t.stringList({ description: "One of these was done: at most 100, spelled as the mutations are." }),
    actorId: t.id({ description: "They did it." }),
    objectId: t.id({ description: "It was done to this." }),
    after: t.field({ type: "DateTime", description: "At this moment or later." }),
    before: t.field({ type: "DateTime", description: "Before this moment." }),
  }),
});

const AuditEventScope = builder.enumType("AuditEventScope", {
  description: "Whose events operators see.",
  values: {
    PLATFORM: { value: "platform", description: "Those of no tenant: settings, workers, sign-ins." },
    ALL: { value: "all", description: "Those of all tenants too, without what exactly was changed." },
  } as const,
});

const PlatformAuditEventFilter = builder.inputType("PlatformAuditEventFilter", {
  description: "Which events; what is left out does not matter.",
  fields: (t) => ({
    scope: t.field({ type: AuditEventScope, description: "Whose; those of no tenant by default." }),
    verbs: t.stringList({ description: "One of these was done: at most 100, spelled as the mutations are." }),
    actorId: t.id({ description: "They did it." }),
    objectId: t.id({ description: "It was done to this." }),
    after: t.field({ type: "DateTime", description: "At this moment or later." }),
    before: t.field({ type: "DateTime", description: "Before this moment." }),
  }),
});

const shared = {
  model: "AuditEvent",
  connection: AuditEventConnection,
  orders: ordersOf("AuditEvent", byAge),
} as const;
const tenantEvents = listing({ ...shared, filter: AuditEventFilter, where: auditWhere });
const platformEvents = listing({
  ...shared,
  filter: PlatformAuditEventFilter,
  where: ({ scope, ...filter }) => ({ ...auditWhere(filter), ...(scope !== "all" && { tenantId: null }) }),
});

builder.prismaObjectFields(Tenant, (t) => ({
  auditEvents: gatedList(t, tenantEvents, {
    description: "What was done in the tenant, for its admins and owners: 20 a page, 100 at most.",
    rows: (query, { hub, actor }, { id }) => listAuditEvents(hub, actor(), id, query),
    count: (where, { hub, actor }, { id }) => countAuditEvents(hub, actor(), id, where),
  }),
}));

builder.queryField("auditEvents", (t) =>
  rootList(t, platformEvents, {
    description: "What was done to the platform, for its operators: 20 a page, 100 at most.",
    rows: (query, { hub, actor }) => listAllAuditEvents(hub, actor(), query),
    count: (where, { hub, actor }) => countAllAuditEvents(hub, actor(), where),
  }),
);
