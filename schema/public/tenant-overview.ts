// The tenants as operators of the platform see them: what they are called, may have and have, and nothing of what is theirs.
import { DeletionDueError, InvalidInputError, NotFoundError } from "../../domain/errors.ts";
import { setTenantQuotas, usageOf } from "../../domain/quotas.ts";
import { deleteTenant, resumeTenant, suspendTenant, undeleteTenant } from "../../domain/tenant-states.ts";
import { countAllTenants, listAllTenants } from "../../domain/tenants.ts";
import { builder } from "./builder.ts";
import { byAge, listing, ordersOf, rootList } from "./listing.ts";
import { gathered } from "./loaders.ts";
import { noUsage, TenantQuotas, TenantStatus, TenantUsage } from "./tenant-facts.ts";

/** In front of the wall: whoever holds an overview operates the platform or owns the tenant. */
const usage = gathered(({ hub }, ids) => usageOf(hub.platform, ids));

const TenantOverview = builder.prismaObject("Tenant", {
  variant: "TenantOverview",
  description: "A tenant as operators see it. What it has is shown to its own people alone, as a `Tenant`.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`ten_…`" }),
    name: t.exposeString("name", { description: "What it is called." }),
    plan: t.exposeString("plan", { description: "What its plan is called." }),
    status: t.expose("status", { type: TenantStatus, description: "Whether it may begin anything." }),
    quotas: t.field({ type: TenantQuotas, description: "What it may have.", resolve: (tenant) => tenant }),
    usage: t.field({
      type: TenantUsage,
      description: "What it has at this moment.",
      resolve: async ({ id }, _, context) => (await usage(context, id)) ?? noUsage,
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    suspendedAt: t.expose("suspendedAt", {
      type: "DateTime",
      nullable: true,
      description: "Since when it is suspended.",
    }),
    suspendedFor: t.exposeString("suspendedFor", { nullable: true, description: "Why it is suspended." }),
    deletionDueAt: t.expose("deletionDueAt", {
      type: "DateTime",
      nullable: true,
      description: "When everything of it goes for good; null unless its deletion was asked for.",
    }),
  }),
});

const TenantOverviewConnection = builder.connectionObject(
  {
    type: TenantOverview,
    name: "TenantOverviewConnection",
    description: "A page of tenants: 20 by default, 100 at most.",
  },
  { name: "TenantOverviewEdge", description: "A tenant on its page." },
);

const TenantOverviewFilter = builder.inputType("TenantOverviewFilter", {
  description: "Which tenants; what is left out does not matter.",
  fields: (t) => ({ status: t.field({ type: TenantStatus, description: "Those in this state." }) }),
});

const tenantOverviewList = listing({
  model: "Tenant",
  type: "TenantOverview",
  connection: TenantOverviewConnection,
  orders: ordersOf("TenantOverview", byAge),
  filter: TenantOverviewFilter,
  where: ({ status }) => (status ? { status } : {}),
});

builder.queryField("allTenants", (t) =>
  rootList(t, tenantOverviewList, {
    description: "Every tenant there is, newest first, for operators of the platform: 20 a page, 100 at most.",
    rows: (query, { hub, actor }) => listAllTenants(hub, actor(), query),
    count: (where, { hub, actor }) => countAllTenants(hub, actor(), where),
  }),
);

const tenantIdHelp = "`ten_…`";

builder.relayMutationField(
  "setTenantQuotas",
  {
    description: "What a tenant may have from now on. What is left out stays; null lifts a limit.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: tenantIdHelp }),
      plan: t.string({ description: "What its plan is called, 1 to 100 characters." }),
      maxSources: t.int({ description: "Sources, 0 to 1000000." }),
      maxBytes: t.field({ type: "ByteCount", description: "Bytes of stored backups, at most 1 PiB." }),
      maxRunningJobs: t.int({ description: "Jobs under way at once, 1 to 1000." }),
    }),
  },
  {
    description:
      "Sets what a tenant may have. What it has already stays, even above a new limit. For operators of the platform.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await setTenantQuotas(hub, actor(), input) }),
  },
  {
    description: "The tenant with its new quotas.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: TenantOverview, description: "It." }) }),
  },
);

builder.relayMutationField(
  "suspendTenant",
  {
    description: "A tenant to stop.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: tenantIdHelp }),
      reason: t.string({ required: true, description: "Why, for its people to read: 1 to 500 characters." }),
    }),
  },
  {
    description:
      "Nothing new begins and what is queued waits; what runs may end, and what is kept can still be restored. For operators of the platform.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await suspendTenant(hub, actor(), input) }),
  },
  {
    description: "The tenant that was stopped.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: TenantOverview, description: "It." }) }),
  },
);

builder.relayMutationField(
  "resumeTenant",
  {
    description: "A suspended tenant that may go on.",
    inputFields: (t) => ({ tenantId: t.id({ required: true, description: tenantIdHelp }) }),
  },
  {
    description: "Ends a suspension: what is queued is done, what is due is begun. For operators of the platform.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await resumeTenant(hub, actor(), input) }),
  },
  {
    description: "The tenant that goes on.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: TenantOverview, description: "It." }) }),
  },
);

builder.relayMutationField(
  "deleteTenant",
  {
    description: "A tenant to delete, with everything that is its own.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: tenantIdHelp }),
      confirmName: t.string({ required: true, description: "What it is called, letter by letter: it is meant." }),
    }),
  },
  {
    description:
      "Nothing new begins from now on, and at `deletionDueAt` everything goes for good: until then `undeleteTenant` takes it back, and what is kept can be restored. For owners, in person, and for operators of the platform.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await deleteTenant(hub, actor(), input) }),
  },
  {
    description: "The tenant on its way out.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: TenantOverview, description: "It." }) }),
  },
);

builder.relayMutationField(
  "undeleteTenant",
  {
    description: "A tenant that is to stay after all.",
    inputFields: (t) => ({ tenantId: t.id({ required: true, description: tenantIdHelp }) }),
  },
  {
    description:
      "Takes the deletion back, while there is time. A suspension from before holds on. For owners, in person, and for operators of the platform.",
    errors: { types: [NotFoundError, DeletionDueError] },
    resolve: async (_, { input }, { hub, actor }) => ({ tenant: await undeleteTenant(hub, actor(), input) }),
  },
  {
    description: "The tenant that stays.",
    outputFields: (t) => ({ tenant: t.expose("tenant", { type: TenantOverview, description: "It." }) }),
  },
);
