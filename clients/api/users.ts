// Everybody who has an account, for operators of the platform.
import { graphql } from "./graphql.ts";

export const listUsers = graphql(
  `query ListUsers($first: Int = 100, $after: String) {
    users(first: $first, after: $after) {
        nodes { id email name platformAdmin createdAt
          memberships { tenantId tenantName role } }
        pageInfo { hasNextPage endCursor }
      }
  }`,
);
