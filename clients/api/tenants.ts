// Customers: the owners of everything else.
import { graphql } from "./graphql.ts";
import { refusal } from "./refusal.ts";

export const listTenants = graphql(`
  query ListTenants($first: Int = 100, $after: String) {
    tenants(first: $first, after: $after) {
      nodes { id name status createdAt }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const createTenant = graphql(
  `mutation CreateTenant($input: CreateTenantInput!) {
    createTenant(input: $input) {
      ...Refusal
      ... on CreateTenantPayload { __typename tenant { id name status createdAt } }
    }
  }`,
  [refusal],
);
