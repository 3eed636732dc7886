// Keys that programs sign in with.
import type { ResultOf } from "gql.tada";
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const apiKeyFacts = graphql(`
  fragment ApiKeyFacts on ApiKey {
    id name prefix role sourceIds createdBy createdAt expiresAt lastUsedAt revokedAt
  }
`);

export type ApiKeyFacts = ResultOf<typeof apiKeyFacts>;

/** For admins and owners, newest first. */
export const listApiKeys = graphql(
  `query ListApiKeys($tenantId: ID!, $first: Int = 100, $after: String) {
    tenant(id: $tenantId) {
      apiKeys(first: $first, after: $after) {
        nodes { ...ApiKeyFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [apiKeyFacts],
);

/** Keep the token: it is in no later answer. `connectApi` takes it as `token`. */
export const createApiKey = graphql(
  `mutation CreateApiKey($input: CreateApiKeyInput!) {
    createApiKey(input: $input) {
      ...Refusal
      ... on CreateApiKeyPayload { __typename token apiKey { ...ApiKeyFacts } }
    }
  }`,
  [refusal, apiKeyFacts],
);

/** At once and for good. */
export const revokeApiKey = graphql(
  `mutation RevokeApiKey($input: RevokeApiKeyInput!) {
    revokeApiKey(input: $input) {
      ...Refusal
      ... on RevokeApiKeyPayload { __typename apiKey { ...ApiKeyFacts } }
    }
  }`,
  [refusal, apiKeyFacts],
);
