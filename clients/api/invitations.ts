// Ways into a tenant for people who have no part in it yet.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const invitationFacts = graphql(`
  fragment InvitationFacts on Invitation {
    id email role invitedBy createdAt expiresAt acceptedAt revokedAt
  }
`);

export type InvitationFacts = ResultOf<typeof invitationFacts>;

/** For admins and owners, newest first. */
export const listInvitations = graphql(
  `query ListInvitations($tenantId: ID!, $first: Int = 100, $after: String) {
    tenant(id: $tenantId) {
      invitations(first: $first, after: $after) {
        nodes { ...InvitationFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [invitationFacts],
);

/** Hand the token over yourself: no mail is sent, and it is in no later answer. */
export const inviteMember = graphql(
  `mutation InviteMember($input: InviteMemberInput!) {
    inviteMember(input: $input) {
      ...Refusal
      ... on InviteMemberPayload { __typename token invitation { ...InvitationFacts } }
    }
  }`,
  [refusal, invitationFacts],
);

export const revokeInvitation = graphql(
  `mutation RevokeInvitation($input: RevokeInvitationInput!) {
    revokeInvitation(input: $input) {
      ...Refusal
      ... on RevokeInvitationPayload { __typename invitation { ...InvitationFacts } }
    }
  }`,
  [refusal, invitationFacts],
);

/** Hand `session` to `keepSession`; it is null for whoever was signed in already. */
export const acceptInvitation = graphql(
  `mutation AcceptInvitation($input: AcceptInvitationInput!) {
    acceptInvitation(input: $input) {
      ...Refusal
      ... on AcceptInvitationPayload { __typename tenantId role
        session { accessToken expiresAt refreshToken refreshTokenExpiresAt user { email } } }
    }
  }`,
  [refusal],
);
