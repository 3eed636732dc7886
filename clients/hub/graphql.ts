// The typed GraphQL documents of the private surface. Types come from schema/private.graphql; nothing is generated at run time.
import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./schema.tada.d.ts";

export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { ByteCount: string | number; DateTime: string; JSON: unknown; ID: string };
}>();
