// Secrets that open sources: written and replaced, never read back.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

const credentialFacts = graphql(`fragment CredentialFacts on Credential { id name kind fields createdAt updatedAt }`);

export const listCredentials = graphql(
  `query ListCredentials($tenantId: ID!, $first: Int = 100, $after: String) {
    tenant(id: $tenantId) {
      credentials(first: $first, after: $after) {
        nodes { ...CredentialFacts }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`,
  [credentialFacts],
);

export const createCredential = graphql(
  `mutation CreateCredential($input: CreateCredentialInput!) {
    createCredential(input: $input) {
      ...Refusal
      ... on CreateCredentialPayload { __typename credential { ...CredentialFacts } }
    }
  }`,
  [refusal, credentialFacts],
);

export const updateCredential = graphql(
  `mutation UpdateCredential($input: UpdateCredentialInput!) {
    updateCredential(input: $input) {
      ...Refusal
      ... on UpdateCredentialPayload { __typename credential { ...CredentialFacts } }
    }
  }`,
  [refusal, credentialFacts],
);

/** For good; one that a source uses stays. */
export const deleteCredential = graphql(
  `mutation DeleteCredential($input: DeleteCredentialInput!) {
    deleteCredential(input: $input) { ...Refusal ... on DeleteCredentialPayload { __typename credentialId } }
  }`,
  [refusal],
);
