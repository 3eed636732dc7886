// The typed GraphQL documents of the public surface. Types come from schema/public.graphql; nothing is generated at run time.
import { initGraphQLTada } from "gql.tada";
import type { introspection } from "./schema.tada.d.ts";

export const graphql = initGraphQLTada<{
  introspection: introspection;
  /** What a fragment asks for is part of the answer's type wherever the fragment is used. */
  disableMasking: true;
  scalars: { ByteCount: string; DateTime: string; JSON: unknown; ID: string };
}>();
