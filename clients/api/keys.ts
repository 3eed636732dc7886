// Keys that a tenant's snapshots are sealed to.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const keyFacts = graphql(`
  fragment KeyFacts on TenantKey {
    id algorithm publicKey fingerprint custody status createdAt rotatedAt snapshotsOnlyOpenedByIt
  }
`);

export type KeyFacts = ResultOf<typeof keyFacts>;

/** Newest first. */
export const listKeys = graphql(
  `query ListKeys($tenantId: ID!, $first: Int = 100, $after: String, $where: TenantKeyFilterInput) {
    tenant(id: $tenantId) {
      keys(first: $first, after: $after, where: $where) {
        nodes { ...KeyFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [keyFacts],
);

/** A new key in the platform's custody; earlier ones still open what was sealed to them. */
export const rotateTenantKey = graphql(
  `mutation RotateTenantKey($input: RotateTenantKeyInput!) {
    rotateTenantKey(input: $input) {
      ...Refusal
      ... on RotateTenantKeyPayload { __typename key { ...KeyFacts } }
    }
  }`,
  [refusal, keyFacts],
);

/** New snapshots are sealed to the customer's own keys alone: the platform can restore none of them. */
export const setTenantRecipients = graphql(
  `mutation SetTenantRecipients($input: SetTenantRecipientsInput!) {
    setTenantRecipients(input: $input) {
      ...Refusal
      ... on SetTenantRecipientsPayload { __typename platformCanRestore consequence keys { ...KeyFacts } }
    }
  }`,
  [refusal, keyFacts],
);

/** Look at its `snapshotsOnlyOpenedByIt` first: so many are lost to the platform. */
export const disableTenantKey = graphql(
  `mutation DisableTenantKey($input: DisableTenantKeyInput!) {
    disableTenantKey(input: $input) {
      ...Refusal
      ... on DisableTenantKeyPayload { __typename snapshotsLost key { ...KeyFacts } }
    }
  }`,
  [refusal, keyFacts],
);
