// A customer, and everything that is theirs.
import { InvalidInputError } from "../../domain/errors.ts";
import { countTenants, createTenant, findTenant, listTenants } from "../../domain/tenants.ts";
import { TenantStatus as statuses } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { credentialList } from "./credential.ts";
import { jobList } from "./job.ts";
import { byAge, listing, ordersOf, relatedList, rootList } from "./listing.ts";
import { Node } from "./node.ts";
import { restoreList } from "./restore.ts";
import { scheduleList } from "./schedule.ts";
import { snapshotList } from "./snapshot.ts";
import { sourceList } from "./source.ts";

const TenantStatus = builder.enumType("TenantStatus", {
  description: "Whether a tenant may begin anything.",
  values: {
    ACTIVE: { value: statuses.ACTIVE, description: "Yes." },
    SUSPENDED: { value: statuses.SUSPENDED, description: "No: everything is kept, nothing new is begun." },
    DELETING: { value: statuses.DELETING, description: "No: it is on its way out." },
  },
});

export const Tenant = builder.prismaObject("Tenant", {
  select: { id: true },
  description: "A customer.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`ten_…`" }),
    name: t.exposeString("name", { description: "What they are called." }),
    status: t.expose("status", { type: TenantStatus, description: "Whether they may begin anything." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
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

export const tenantList = listing({ model: "Tenant", connection: TenantConnection, orders: ordersOf("Tenant", byAge) });

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
