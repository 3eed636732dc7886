// Who has a part in which tenant.
import { isAuthorized } from "../../domain/actor.ts";
import { LastOwnerError, NotFoundError } from "../../domain/errors.ts";
import { removeMember, updateMember } from "../../domain/memberships.ts";
import { builder } from "./builder.ts";
import { listing, onlyOrder, relatedList } from "./listing.ts";
import { Role } from "./role.ts";
import { Tenant } from "./tenant.ts";
import { User } from "./user.ts";

const Membership = builder.prismaObject("Membership", {
  description: "A person's part in a tenant.",
  fields: (t) => ({
    role: t.expose("role", { type: Role, description: "What they may do there." }),
    user: t.relation("user", { type: User, description: "The person." }),
    tenant: t.relation("tenant", { type: Tenant, description: "The tenant." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "Since when." }),
  }),
});

const MembershipConnection = builder.connectionObject(
  { type: Membership, name: "MembershipConnection", description: "A page of members: 20 by default, 100 at most." },
  { name: "MembershipEdge", description: "A member on their page." },
);

builder.prismaObjectField(User, "memberships", (t) =>
  t.relation("memberships", {
    type: Membership,
    query: { orderBy: { tenantId: "asc" } },
    description: "The tenants they have a part in, of those that whoever asks has a part in too.",
  }),
);

const membershipList = listing({
  model: "Membership",
  connection: MembershipConnection,
  orders: onlyOrder(["userId", "asc"]),
});

builder.prismaObjectFields(Tenant, (t) => ({
  members: relatedList(t, "memberships", membershipList, {
    description: "The people who have a part in it. Every member sees the others and their addresses.",
  }),
  viewerCanManageMembers: t.boolean({
    description: "Whether the signed-in may invite people, give them other roles and remove them.",
    resolve: ({ id }, _, { actor }) => isAuthorized(actor(), id, "updateMember"),
  }),
}));

builder.relayMutationField(
  "updateMember",
  {
    description: "Another role for a member.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "In which tenant." }),
      userId: t.id({ required: true, description: "Whose." }),
      role: t.field({ type: Role, required: true, description: "What they may do from now on." }),
    }),
  },
  {
    description:
      "Gives a member another role, within seconds also on connections that are open. Nobody gives more than they have, or changes who has more.",
    errors: { types: [NotFoundError, LastOwnerError] },
    resolve: async (_, { input }, { hub, actor }) => ({ member: await updateMember(hub, actor(), input) }),
  },
  {
    description: "The member that was changed.",
    outputFields: (t) => ({
      member: t.expose("member", { type: Membership, description: "Their part, as it is now." }),
    }),
  },
);

builder.relayMutationField(
  "removeMember",
  {
    description: "A member who is to leave.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Which tenant." }),
      userId: t.id({ required: true, description: "Who; everybody may name themselves." }),
    }),
  },
  {
    description: "Ends somebody's part in a tenant, within seconds also on connections that are open.",
    errors: { types: [NotFoundError, LastOwnerError] },
    resolve: (_, { input }, { hub, actor }) => removeMember(hub, actor(), input),
  },
  {
    description: "Who has no part any more.",
    outputFields: (t) => ({
      tenantId: t.exposeID("tenantId", { description: "In which tenant." }),
      userId: t.exposeID("userId", { description: "Who." }),
    }),
  },
);
