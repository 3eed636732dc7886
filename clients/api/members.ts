// People and their part in a tenant.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const memberFacts = graphql(`
  fragment MemberFacts on Membership {
    role createdAt
    user { id email name }
  }
`);

export type MemberFacts = ResultOf<typeof memberFacts>;

export const listMembers = graphql(
  `query ListMembers($tenantId: ID!, $first: Int = 100, $after: String) {
    tenant(id: $tenantId) {
      members(first: $first, after: $after) {
        nodes { ...MemberFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [memberFacts],
);

/** Gives somebody another role. */
export const updateMember = graphql(
  `mutation UpdateMember($input: UpdateMemberInput!) {
    updateMember(input: $input) {
      ...Refusal
      ... on UpdateMemberPayload { __typename member { ...MemberFacts } }
    }
  }`,
  [refusal, memberFacts],
);

/** Everybody may name themselves. */
export const removeMember = graphql(
  `mutation RemoveMember($input: RemoveMemberInput!) {
    removeMember(input: $input) {
      ...Refusal
      ... on RemoveMemberPayload { __typename tenantId userId }
    }
  }`,
  [refusal],
);
