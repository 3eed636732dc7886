// Snapshots on their way back, through links that expire.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const restoreFacts = graphql(`
  fragment RestoreFacts on Restore {
    id status form selection sizeBytes expiresAt timesFetched createdAt
    job { id status }
  }
`);

/** Its size and the end of its link are known once its job is completed. */
export const getRestore = graphql(
  `query GetRestore($restoreId: ID!) {
    restore(id: $restoreId) { ...RestoreFacts }
  }`,
  [restoreFacts],
);

export const listRestores = graphql(
  `query ListRestores($tenantId: ID!, $first: Int = 100, $after: String) {
    tenant(id: $tenantId) {
      restores(first: $first, after: $after) {
        nodes { ...RestoreFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [restoreFacts],
);

/** Keep the link: it is in no later answer. */
export const startRestore = graphql(
  `mutation StartRestore($input: StartRestoreInput!) {
    startRestore(input: $input) {
      ...Refusal
      ... on StartRestorePayload { __typename downloadUrl restore { ...RestoreFacts } }
    }
  }`,
  [refusal, restoreFacts],
);

/** Ends its link before its time. */
export const revokeRestore = graphql(
  `mutation RevokeRestore($input: RevokeRestoreInput!) {
    revokeRestore(input: $input) {
      ...Refusal
      ... on RevokeRestorePayload { __typename restore { ...RestoreFacts } }
    }
  }`,
  [refusal, restoreFacts],
);
