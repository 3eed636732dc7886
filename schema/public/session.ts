// How people sign in, go on and sign out.
import {
  InvalidInputError,
  NotFoundError,
  RateLimitedError,
  SessionEndedError,
  SignInFailedError,
  WrongPasswordError,
} from "../../domain/errors.ts";
import { changePassword } from "../../domain/password-changes.ts";
import {
  findSessionUser,
  refreshSession,
  type Session as SessionFacts,
  signIn,
  signOut,
  signOutEverywhere,
} from "../../domain/sessions.ts";
import { builder } from "./builder.ts";
import type { PublicContext } from "./context.ts";
import { User } from "./user.ts";

/** A session and its access token. */
export interface IssuedSession extends SessionFacts {
  readonly accessToken: string;
  readonly expiresAt: Date;
}

type FieldBuilder = PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, IssuedSession>;

const sessionFields = (t: FieldBuilder) => ({
  accessToken: t.exposeString("accessToken", {
    description: "For the `Authorization: Bearer …` header, or `connectionParams`. Shown here and never again.",
  }),
  expiresAt: t.expose("expiresAt", {
    type: "DateTime",
    description: "When the access token ends; take another with `refreshSession` before.",
  }),
  refreshToken: t.exposeString("refreshToken", {
    description: "For `refreshSession`, once. Shown here and never again.",
  }),
  refreshTokenExpiresAt: t.expose("refreshTokenExpiresAt", {
    type: "DateTime",
    description: "When the session ends unless it is refreshed.",
  }),
  user: t.prismaField({
    type: User,
    description: "Who is signed in.",
    resolve: (query, session, _, { hub }) => findSessionUser(hub, session, query),
  }),
});

export const Session = builder.objectRef<IssuedSession>("Session").implement({
  description: "What somebody holds who has signed in.",
  fields: sessionFields,
});

/** The session with an access token for it. */
export async function issued({ sessions }: PublicContext, session: SessionFacts): Promise<IssuedSession> {
  return { ...session, ...(await sessions.issue(session)) };
}

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
    description: "Begins a session. A password may be tried ten times in a quarter of an hour.",
    errors: { types: [SignInFailedError, RateLimitedError] },
    resolve: async (_, { input }, context) => issued(context, await signIn(context.hub, input, context.address)),
  },
  { description: "A session.", outputFields: sessionFields },
);

builder.relayMutationField(
  "refreshSession",
  {
    description: "How to go on without the password.",
    inputFields: (t) => ({
      refreshToken: t.string({ required: true, description: "The last one of the session." }),
    }),
  },
  {
    description:
      "Takes a refresh token for a new access token and the next refresh token. Each works once: a second use ends the session, since one of the two users has stolen it. Refresh from one place at a time.",
    errors: { types: [SessionEndedError, RateLimitedError] },
    resolve: async (_, { input }, context) =>
      issued(context, await refreshSession(context.hub, input, context.address)),
  },
  { description: "The session, with new tokens.", outputFields: sessionFields },
);

builder.relayMutationField(
  "signOut",
  {
    description: "A session that is over.",
    inputFields: (t) => ({
      refreshToken: t.string({ required: true, description: "Any of the session, spent or not." }),
    }),
  },
  {
    description: "Ends a session with all its tokens, within seconds also on connections that are open.",
    errors: { types: [SessionEndedError, RateLimitedError] },
    resolve: (_, { input }, { hub, address }) => signOut(hub, input, address),
  },
  {
    description: "Whose session ended.",
    outputFields: (t) => ({ userId: t.exposeID("userId", { description: "`usr_…`" }) }),
  },
);

builder.relayMutationField(
  "signOutEverywhere",
  {
    description: "Whose sessions are over.",
    inputFields: (t) => ({
      userId: t.id({ description: "Whose; one's own where it is left out. Another's is for operators alone." }),
    }),
  },
  {
    description: "Ends every session of a person, this one too, within seconds also on connections that are open.",
    errors: { types: [NotFoundError] },
    resolve: (_, { input }, { hub, actor }) => signOutEverywhere(hub, actor(), input),
  },
  {
    description: "Whose sessions ended.",
    outputFields: (t) => ({ userId: t.exposeID("userId", { description: "`usr_…`" }) }),
  },
);

builder.relayMutationField(
  "changePassword",
  {
    description: "Another password for the signed-in.",
    inputFields: (t) => ({
      currentPassword: t.string({ required: true, description: "The one until now." }),
      newPassword: t.string({ required: true, description: "The one from now on, 12 to 256 characters." }),
    }),
  },
  {
    description: "Changes the password, ends every session there was, and answers a new one.",
    errors: { types: [WrongPasswordError, InvalidInputError, RateLimitedError] },
    resolve: async (_, { input }, context) =>
      issued(context, await changePassword(context.hub, context.actor(), input, context.address)),
  },
  { description: "The only session left.", outputFields: sessionFields },
);
