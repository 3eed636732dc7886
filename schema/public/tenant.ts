// A customer, and everything that is theirs.
import { InvalidInputError } from "../../domain/errors.ts";
import { countTenants, createTenant, findTenant, listTenants } from "../../domain/tenants.ts";
import { TenantStatus as statuses } from "../../prisma/client/client.ts";
import { builder, connectionCost, newestFirst } from "./builder.ts";
import { CredentialConnection } from "./credential.ts";
import { JobConnection } from "./job.ts";
import { Node } from "./node.ts";
import { RestoreConnection } from "./restore.ts";
import { ScheduleConnection } from "./schedule.ts";
import { SnapshotConnection } from "./snapshot.ts";
import { SourceConnection } from "./source.ts";

const TenantStatus = builder.enumType("TenantStatus", {
  description: "Whether a tenant may begin anything.",
  values: {
    ACTIVE: { value: statuses.ACTIVE, description: "Yes." },
    SUSPENDED: { value: statuses.SUSPENDED, description: "No: everything is kept, nothing new is begun." },
    DELETING: { value: statuses.DELETING, description: "No: it is on its way out." },
  },
});

export const Tenant = builder.prismaObject("Tenant", {
  description: "A customer.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`ten_…`" }),
    name: t.exposeString("name", { description: "What they are called." }),
    status: t.expose("status", { type: TenantStatus, description: "Whether they may begin anything." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    sources: t.relatedConnection(
      "sources",
      {
        ...newestFirst,
        description: "What is backed up, newest first.",
      },
      SourceConnection,
    ),
    credentials: t.relatedConnection(
      "credentials",
      {
        ...newestFirst,
        description: "What opens the sources: never the secrets.",
      },
      CredentialConnection,
    ),
    schedules: t.relatedConnection(
      "schedules",
      {
        ...newestFirst,
        description: "When backups are due.",
      },
      ScheduleConnection,
    ),
    jobs: t.relatedConnection(
      "jobs",
      {
        ...newestFirst,
        description: "What was and is being done, newest first.",
      },
      JobConnection,
    ),
    snapshots: t.relatedConnection(
      "snapshots",
      {
        ...newestFirst,
        description: "What is kept, newest first.",
      },
      SnapshotConnection,
    ),
    restores: t.relatedConnection(
      "restores",
      {
        ...newestFirst,
        description: "What was fetched back, newest first.",
      },
      RestoreConnection,
    ),
  }),
});

const TenantConnection = builder.connectionObject(
  { type: Tenant, name: "TenantConnection", description: "A page of tenants: 20 by default, 100 at most." },
  { name: "TenantEdge", description: "A tenant on its page." },
);

builder.queryFields((t) => ({
  tenant: t.prismaField({
    type: Tenant,
    nullable: true,
    description: "A tenant by its id; null for what is unknown or not yours.",
    args: { id: t.arg.id({ required: true, description: "`ten_…`" }) },
    resolve: (query, _, { id }, { hub, actor }) => findTenant(hub, actor(), id, query),
  }),
  tenants: t.prismaConnection(
    {
      type: Tenant,
      cursor: "id",
      complexity: connectionCost,
      description: "The tenants that the signed-in have a part in: 20 a page, 100 at most.",
      totalCount: (_, __, { hub, actor }) => countTenants(hub, actor()),
      resolve: (query, _, __, { hub, actor }) => listTenants(hub, actor(), query),
    },
    TenantConnection,
  ),
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
