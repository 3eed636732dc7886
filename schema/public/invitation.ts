// Ways into a tenant for people.
import {
  AlreadyMemberError,
  InvalidInputError,
  InvalidTokenError,
  NotFoundError,
  RateLimitedError,
  SignInFailedError,
  TenantSuspendedError,
} from "../../domain/errors.ts";
import {
  acceptInvitation,
  countInvitations,
  inviteMember,
  listInvitations,
  revokeInvitation,
} from "../../domain/invitations.ts";
import { builder } from "./builder.ts";
import { byAge, gatedList, listing, ordersOf } from "./listing.ts";
import { Node } from "./node.ts";
import { Role } from "./role.ts";
import { issued, Session } from "./session.ts";
import { Tenant } from "./tenant.ts";

const Invitation = builder.prismaObject("Invitation", {
  description: "A way into a tenant for one person, until it is accepted, revoked or expires.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`inv_…`" }),
    email: t.exposeString("email", { description: "Whom it is for." }),
    role: t.expose("role", { type: Role, description: "What they will be able to do." }),
    invitedBy: t.exposeID("invitedBy", { nullable: true, description: "The user who sent it." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    expiresAt: t.expose("expiresAt", { type: "DateTime", description: "When it works no more: after seven days." }),
    acceptedAt: t.expose("acceptedAt", { type: "DateTime", nullable: true, description: "When it was accepted." }),
    revokedAt: t.expose("revokedAt", { type: "DateTime", nullable: true, description: "When it was revoked." }),
  }),
});

const InvitationConnection = builder.connectionObject(
  { type: Invitation, name: "InvitationConnection", description: "A page of invitations: 20 by default, 100 at most." },
  { name: "InvitationEdge", description: "An invitation on its page." },
);

const invitationList = listing({
  model: "Invitation",
  connection: InvitationConnection,
  orders: ordersOf("Invitation", byAge),
});

builder.prismaObjectField(Tenant, "invitations", (t) =>
  gatedList(t, invitationList, {
    description: "Who was invited, newest first. For admins and owners.",
    rows: (query, { hub, actor }, { id }) => listInvitations(hub, actor(), id, query),
    count: (_, { hub, actor }, { id }) => countInvitations(hub, actor(), id),
  }),
);

builder.relayMutationField(
  "inviteMember",
  {
    description: "Somebody who is to have a part in a tenant.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "In which." }),
      email: t.string({ required: true, description: "Their e-mail address." }),
      role: t.field({ type: Role, required: true, description: "What they will be able to do: up to one's own role." }),
    }),
  },
  {
    description:
      "Makes an invitation; earlier ones to the same address work no more. No mail is sent: hand the token over yourself.",
    errors: { types: [NotFoundError, InvalidInputError, AlreadyMemberError, TenantSuspendedError] },
    resolve: (_, { input }, { hub, actor }) => inviteMember(hub, actor(), input),
  },
  {
    description: "The invitation that was made.",
    outputFields: (t) => ({
      invitation: t.expose("invitation", { type: Invitation, description: "It." }),
      token: t.exposeString("token", { description: "For `acceptInvitation`, once. Shown here and never again." }),
    }),
  },
);

builder.relayMutationField(
  "revokeInvitation",
  {
    description: "An invitation that is not to be accepted any more.",
    inputFields: (t) => ({ invitationId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "Ends an invitation. One that was accepted stays as it is: remove the member instead.",
    errors: { types: [NotFoundError] },
    resolve: async (_, { input }, { hub, actor }) => ({ invitation: await revokeInvitation(hub, actor(), input) }),
  },
  {
    description: "The invitation as it is now.",
    outputFields: (t) => ({ invitation: t.expose("invitation", { type: Invitation, description: "It." }) }),
  },
);

builder.relayMutationField(
  "acceptInvitation",
  {
    description: "Somebody who comes in.",
    inputFields: (t) => ({
      token: t.string({ required: true, description: "What they were handed." }),
      name: t.string({ description: "What they are called: for those without an account." }),
      password: t.string({
        description:
          "The password of their account, or the one to make it with; not needed by whoever is signed in to it.",
      }),
    }),
  },
  {
    description:
      "Gives the invited their part in the tenant, and makes their account where they have none. Unknown, used, revoked and expired tokens are one answer.",
    errors: { types: [InvalidTokenError, SignInFailedError, InvalidInputError, RateLimitedError] },
    resolve: async (_, { input }, context) => {
      const accepted = await acceptInvitation(context.hub, await context.currentActor(), input, context.address);
      return { ...accepted, session: accepted.session && (await issued(context, accepted.session)) };
    },
  },
  {
    description: "A part in a tenant.",
    outputFields: (t) => ({
      tenantId: t.exposeID("tenantId", { description: "In which." }),
      role: t.expose("role", { type: Role, description: "What they may do there." }),
      session: t.expose("session", {
        type: Session,
        nullable: true,
        description: "A session of theirs; null for whoever was signed in already.",
      }),
    }),
  },
);
