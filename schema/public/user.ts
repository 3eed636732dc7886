// The person who is signed in, and how they sign in.
import { SignInFailedError } from "../../domain/errors.ts";
import { findViewer, signIn } from "../../domain/users.ts";
import { Role as roles } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { Tenant } from "./tenant.ts";

const Role = builder.enumType("Role", {
  description: "What a person may do in a tenant; each role may do all that the ones before it may.",
  values: {
    VIEWER: { value: roles.VIEWER, description: "May look." },
    MEMBER: { value: roles.MEMBER, description: "May back up and restore." },
    ADMIN: { value: roles.ADMIN, description: "May set up sources, credentials and schedules." },
    OWNER: { value: roles.OWNER, description: "May do everything." },
  },
});

const Membership = builder.prismaObject("Membership", {
  description: "A person's part in a tenant.",
  fields: (t) => ({
    role: t.expose("role", { type: Role, description: "What they may do there." }),
    tenant: t.relation("tenant", { type: Tenant, description: "The tenant." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "Since when." }),
  }),
});

const User = builder.prismaObject("User", {
  description: "A person.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "`usr_…`" }),
    email: t.exposeString("email", { description: "What they sign in with." }),
    name: t.exposeString("name", { description: "What they are called." }),
    platformAdmin: t.exposeBoolean("platformAdmin", {
      description: "Operates the platform: makes tenants and workers.",
    }),
    memberships: t.relation("memberships", { type: Membership, description: "The tenants they have a part in." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When the account was made." }),
  }),
});

builder.queryField("viewer", (t) =>
  t.prismaField({
    type: User,
    nullable: true,
    description: "Who is signed in.",
    resolve: (query, _, __, { hub, actor }) => findViewer(hub, actor(), query),
  }),
);

builder.relayMutationField(
  "signIn",
  {
    description: "How to sign in.",
    inputFields: (t) => ({
      email: t.string({ required: true, description: "The e-mail address of the account." }),
      password: t.string({ required: true, description: "Its password." }),
    }),
  },
  {
    description:
      "Answers a token for the `Authorization: Bearer …` header (or `connectionParams`), valid until it expires.",
    errors: { types: [SignInFailedError] },
    resolve: async (_, { input }, { hub, sessions }) => {
      const user = await signIn(hub, input);
      return { user, ...(await sessions.issue(user)) };
    },
  },
  {
    description: "A session.",
    outputFields: (t) => ({
      accessToken: t.exposeString("accessToken", { description: "Shown here and never again." }),
      expiresAt: t.expose("expiresAt", { type: "DateTime", description: "When it ends." }),
      user: t.expose("user", { type: User, description: "Who is signed in now." }),
    }),
  },
);
