// What a tenant may have and what it has, as its own people and operators of the platform both see it.
import type { TenantUsage as Usage } from "../../domain/quotas.ts";
import type { Tenant } from "../../prisma/client/client.ts";
import { TenantStatus as statuses } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";

export const TenantStatus = builder.enumType("TenantStatus", {
  description: "Whether a tenant may begin anything.",
  values: {
    ACTIVE: { value: statuses.ACTIVE, description: "Yes." },
    SUSPENDED: {
      value: statuses.SUSPENDED,
      description: "No: everything is kept and can be restored, nothing else is begun.",
    },
    DELETING: {
      value: statuses.DELETING,
      description: "No: it is on its way out, and can be restored from until `deletionDueAt`.",
    },
  },
});

export const TenantQuotas = builder
  .objectRef<Pick<Tenant, "maxSources" | "maxBytes" | "maxRunningJobs">>("TenantQuotas")
  .implement({
    description: "What a tenant's plan allows.",
    fields: (t) => ({
      maxSources: t.exposeInt("maxSources", { nullable: true, description: "Sources; null: no limit." }),
      maxBytes: t.expose("maxBytes", {
        type: "ByteCount",
        nullable: true,
        description: "Bytes of stored backups; null: no limit. At the limit no backup is begun.",
      }),
      maxRunningJobs: t.exposeInt("maxRunningJobs", {
        nullable: true,
        description: "Jobs under way at once, the others wait; null: no limit.",
      }),
    }),
  });

export const TenantUsage = builder.objectRef<Usage>("TenantUsage").implement({
  description: "What a tenant has at this moment, as far as the one who asks may see it.",
  fields: (t) => ({
    sources: t.exposeInt("sources", { description: "Its sources." }),
    snapshots: t.exposeInt("snapshots", { description: "Its snapshots whose bytes are stored." }),
    storedBytes: t.expose("storedBytes", { type: "ByteCount", description: "What they take, sealed and stored." }),
    runningJobs: t.exposeInt("runningJobs", { description: "Its jobs under way." }),
  }),
});

/** Of a tenant that nothing is seen of. */
export const noUsage: Usage = { sources: 0, snapshots: 0, storedBytes: 0n, runningJobs: 0 };
