// Who is signed in, and how one gets there.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

export const signIn = graphql(
  `mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      ...Refusal
      ... on SignInPayload { __typename accessToken expiresAt user { id email name platformAdmin } }
    }
  }`,
  [refusal],
);

export const getViewer = graphql(`
  query GetViewer {
    viewer { id email name platformAdmin memberships { role tenant { id name status } } }
  }
`);
