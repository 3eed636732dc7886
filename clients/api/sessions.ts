// Who is signed in, and how one gets there and away again. The session that renews itself is in `session.ts`.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

/** What answers to a sign-in have in common: `keepSession` makes a session of it. */
export interface SessionTokens {
  readonly accessToken: string;
  readonly expiresAt: string;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: string;
  readonly user: { readonly email: string };
}

export const signIn = graphql(
  `mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      ...Refusal
      ... on SignInPayload {
        __typename accessToken expiresAt refreshToken refreshTokenExpiresAt
        user { id email name platformAdmin }
      }
    }
  }`,
  [refusal],
);

/** A refresh token works once: leave this to `session.ts`. */
export const refreshSession = graphql(
  `mutation RefreshSession($input: RefreshSessionInput!) {
    refreshSession(input: $input) {
      ...Refusal
      ... on RefreshSessionPayload {
        __typename accessToken expiresAt refreshToken refreshTokenExpiresAt
        user { email }
      }
    }
  }`,
  [refusal],
);

export const signOut = graphql(
  `mutation SignOut($input: SignOutInput!) {
    signOut(input: $input) { ...Refusal ... on SignOutPayload { __typename userId } }
  }`,
  [refusal],
);

/** Ends every session of a person, on every machine. */
export const signOutEverywhere = graphql(
  `mutation SignOutEverywhere($input: SignOutEverywhereInput!) {
    signOutEverywhere(input: $input) { ...Refusal ... on SignOutEverywherePayload { __typename userId } }
  }`,
  [refusal],
);

/** Ends every session there was; hand the answer to `keepSession`. */
export const changePassword = graphql(
  `mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      ...Refusal
      ... on ChangePasswordPayload {
        __typename accessToken expiresAt refreshToken refreshTokenExpiresAt
        user { email }
      }
    }
  }`,
  [refusal],
);

/** For operators: hand the token over to whoever has forgotten their password. */
export const createPasswordReset = graphql(
  `mutation CreatePasswordReset($input: CreatePasswordResetInput!) {
    createPasswordReset(input: $input) { ...Refusal ... on CreatePasswordResetPayload { __typename token expiresAt } }
  }`,
  [refusal],
);

export const resetPassword = graphql(
  `mutation ResetPassword($input: ResetPasswordInput!) {
    resetPassword(input: $input) { ...Refusal ... on ResetPasswordPayload { __typename email } }
  }`,
  [refusal],
);

/** Null for an API key, which is nobody. */
export const getViewer = graphql(`
  query GetViewer {
    viewer { id email name platformAdmin memberships { role tenant { id name status } } }
  }
`);

export const updateViewer = graphql(
  `mutation UpdateViewer($input: UpdateViewerInput!) {
    updateViewer(input: $input) { ...Refusal ... on UpdateViewerPayload { __typename viewer { id email name } } }
  }`,
  [refusal],
);
