// A customer, and everything that is theirs.
import { isAuthorized, isOperator } from "../../domain/actor.ts";
import { InvalidInputError, NotFoundError } from "../../domain/errors.ts";
import { usageOf } from "../../domain/quotas.ts";
import { countTenants, createTenant, findTenant, listTenants, updateTenant } from "../../domain/tenants.ts";
import { gathered } from "./batch.ts";
import { builder } from "./builder.ts";
import { credentialList } from "./credential.ts";
import { jobList } from "./job.ts";
import { byAge, listing, ordersOf, relatedList, rootList } from "./listing.ts";
import { Node } from "./node.ts";
import { restoreList } from "./restore.ts";
import { scheduleList } from "./schedule.ts";
import { snapshotList } from "./snapshot.ts";
import { sourceList } from "./source.ts";
import { noUsage, TenantQuotas, TenantStatus, TenantUsage } from "./tenant-facts.ts";

const usage = gathered(({ hub }, ids: readonly string[]) => usageOf(hub.db, ids));

export const Tenant = builder.prismaObject("Tenant", {
  select: { id: true },
  description: "A customer.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`ten_…`" }),
    name: t.exposeString("name", { description: "What they are called." }),
    status: t.expose("status", { type: TenantStatus, description: "Whether they may begin anything." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    plan: t.exposeString("plan", { description: "What their plan is called." }),
    quotas: t.field({
      type: TenantQuotas,
      description: "What their plan allows.",
      select: { maxSources: true, maxBytes: true, maxRunningJobs: true },
      resolve: (tenant) => tenant,
    }),
    usage: t.field({
      type: TenantUsage,
      description: "What they have at this moment.",
      resolve: async ({ id }, _, context) => (await usage(context, id)) ?? noUsage,
    }),
    suspendedFor: t.exposeString("suspendedFor", {
      nullable: true,
      description: "Why they were suspended; null unless they are.",
    }),
    deletionDueAt: t.expose("deletionDueAt", {
      type: "DateTime",
      nullable: true,
      description: "When everything of theirs goes for good; null unless the deletion was asked for.",
    }),
    viewerCanUpdate: t.boolean({
      description: "Whether you may rename it.",
      resolve: ({ id }, _, { actor }) => isAuthorized(actor(), id, "updateTenant"),
    }),
    viewerCanDelete: t.boolean({
      description: "Whether you may delete it, and take that back.",
      resolve: ({ id }, _, { actor }) => isOperator(actor()) || isAuthorized(actor(), id, "deleteTenant"),
    }),
    viewerCanReadAudit: t.boolean({
      description: "Whether you may read what was done in it.",
      resolve: ({ id }, _, { actor }) => isAuthorized(actor(), id, "readAudit"),
    }),
    sources: relatedList(t, "sources", sourceList, { description: "What is backed up, newest first." }),
    credentials: relatedList(t, "credentials", credentialList, {
      description: "What opens the sources: never the secrets.",
    }),
    schedules: relatedList(t, "schedules", scheduleList, { description: "When backups are due." }),
    jobs: relatedList(t, "jobs", jobList, { description: "What was and is being done, newest first." }),
    snapshots: relatedList(t, "snapshots", snapshotList, { description: "What is kept, newest first." }),
    restores: relatedList(t, "restores", restoreList, { description: "What was fetched back, newest first." }),
  }),
});

const TenantConnection = builder.connectionObject(
  { type: Tenant, name: "TenantConnection", description: "A page of tenants: 20 by default, 100 at most." },
  { name: "TenantEdge", description: "A tenant on its page." },
);

const tenantList = listing({ model: "Tenant", connection: TenantConnection, orders: ordersOf("Tenant", byAge) });

builder.queryFields((t) => ({
  tenant: t.prismaField({
    type: Tenant,
    nullable: true,
    description: "A tenant by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`ten_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findTenant(hub, actor(), id, query),
  }),
  tenants: rootList(t, tenantList, {
    description: "The tenants that the signed-in have a part in: 20 a page, 100 at most.",
    rows: (query, { hub, actor }) => listTenants(hub, actor(), query),
    count: (where, { hub, actor }) => countTenants(hub, actor(), where),
  }),
}));

builder.relayMutationField(
  "createTenant",
  {
    description: "A new tenant.",
    inputFields: (t) => ({
      name: t.string({ required: true, description: "What it is called, 1 to 100 characters." }),
    }),
  },
  {
    description: "Makes a tenant with a key of its own; the maker becomes its owner. For operators of the platform.",
    errors: { types: [InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await createTenant(hub, actor(), input) }),
  },
  {
    description: "The tenant that was made.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: Tenant, description: "It." }) }),
  },
);

builder.relayMutationField(
  "updateTenant",
  {
    description: "A new name for a tenant.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Which." }),
      name: t.string({ required: true, description: "What it is called from now on, 1 to 100 characters." }),
    }),
  },
  {
    description: "Renames a tenant. For its owners.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await updateTenant(hub, actor(), input) }),
  },
  {
    description: "The tenant that was renamed.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: Tenant, description: "It." }) }),
  },
);
