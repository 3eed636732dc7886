// People: who is signed in, and, for those who operate the platform, everybody.
import { InvalidInputError } from "../../domain/errors.ts";
import { countAllUsers, findViewer, listUsers, updateViewer } from "../../domain/users.ts";
import type { Role as RoleName } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { byAge, listing, ordersOf, rootList } from "./listing.ts";
import { Role } from "./role.ts";

export const User = builder.prismaObject("User", {
  description: "A person.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`usr_…`" }),
    email: t.exposeString("email", { description: "What they sign in with." }),
    name: t.exposeString("name", { description: "What they are called." }),
    platformAdmin: t.exposeBoolean("platformAdmin", {
      description: "Operates the platform: makes tenants and workers.",
    }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When the account was made." }),
  }),
});

const AccountMembership = builder
  .objectRef<{ readonly role: RoleName; readonly tenant: { readonly id: string; readonly name: string } }>(
    "AccountMembership",
  )
  .implement({
    description: "A person's part in a tenant, as operators see it: not what there is in the tenant.",
    fields: (t) => ({
      tenantId: t.id({ description: "The tenant.", resolve: ({ tenant }) => tenant.id }),
      tenantName: t.string({ description: "What it is called.", resolve: ({ tenant }) => tenant.name }),
      role: t.expose("role", { type: Role, description: "What they may do there." }),
    }),
  });

// No way leads on from here: operators are nobody in a tenant without a part there, and the list is read outside of the wall.
const Account = builder.prismaObject("User", {
  variant: "Account",
  description: "A person, as operators see them.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`usr_…`" }),
    email: t.exposeString("email", { description: "What they sign in with." }),
    name: t.exposeString("name", { description: "What they are called." }),
    platformAdmin: t.exposeBoolean("platformAdmin", { description: "Operates the platform." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When the account was made." }),
    memberships: t.field({
      type: [AccountMembership],
      description: "The tenants they have a part in.",
      select: { memberships: { include: { tenant: true }, orderBy: { tenantId: "asc" } } },
      resolve: ({ memberships }) => memberships,
    }),
  }),
});

const AccountConnection = builder.connectionObject(
  { type: Account, name: "AccountConnection", description: "A page of accounts: 20 by default, 100 at most." },
  { name: "AccountEdge", description: "An account on its page." },
);

const accountList = listing({
  model: "User",
  type: "Account",
  connection: AccountConnection,
  orders: ordersOf("Account", byAge),
});

builder.queryFields((t) => ({
  viewer: t.prismaField({
    type: User,
    nullable: true,
    description: "Who is signed in; null for an API key, which is nobody.",
    resolve: (query, _, __, { hub, actor }) => findViewer(hub, actor(), query),
  }),
  users: rootList(t, accountList, {
    description: "Everybody who has an account, newest first, for operators: 20 a page, 100 at most.",
    rows: (query, { hub, actor }) => listUsers(hub, actor(), query),
    count: (_, { hub, actor }) => countAllUsers(hub, actor()),
  }),
}));

builder.relayMutationField(
  "updateViewer",
  {
    description: "How the signed-in want to be called.",
    inputFields: (t) => ({
      name: t.string({ required: true, description: "The name, 1 to 100 characters." }),
    }),
  },
  {
    description: "Changes what the signed-in is called.",
    errors: { types: [InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({ viewer: await updateViewer(hub, actor(), input) }),
  },
  {
    description: "The person as they are now.",
    outputFields: (t) => ({ viewer: t.expose("viewer", { type: User, description: "They." }) }),
  },
);
