// New passwords for those who have forgotten theirs.
import { InvalidInputError, InvalidTokenError, NotFoundError, RateLimitedError } from "../../domain/errors.ts";
import { createPasswordReset, resetPassword } from "../../domain/password-changes.ts";
import { builder } from "./builder.ts";

builder.relayMutationField(
  "createPasswordReset",
  {
    description: "Somebody who has forgotten their password.",
    inputFields: (t) => ({ email: t.string({ required: true, description: "The e-mail address of their account." }) }),
  },
  {
    description:
      "Makes a token for `resetPassword`; earlier ones of the same person work no more. No mail is sent: hand it over yourself. For operators.",
    errors: { types: [NotFoundError] },
    resolve: (_, { input }, { hub, actor }) => createPasswordReset(hub, actor(), input),
  },
  {
    description: "A way to a new password.",
    outputFields: (t) => ({
      token: t.exposeString("token", { description: "Works once. Shown here and never again." }),
      expiresAt: t.expose("expiresAt", { type: "DateTime", description: "When it works no more: in an hour." }),
    }),
  },
);

builder.relayMutationField(
  "resetPassword",
  {
    description: "A new password, by token.",
    inputFields: (t) => ({
      token: t.string({ required: true, description: "What an operator handed over." }),
      newPassword: t.string({ required: true, description: "The one from now on, 12 to 256 characters." }),
    }),
  },
  {
    description:
      "Sets the password and ends every session of the person. Unknown, used and expired tokens are one answer.",
    errors: { types: [InvalidTokenError, InvalidInputError, RateLimitedError] },
    resolve: (_, { input }, { hub, address }) => resetPassword(hub, input, address),
  },
  {
    description: "The account whose password it is now.",
    outputFields: (t) => ({ email: t.exposeString("email", { description: "What to sign in with." }) }),
  },
);
