// Compares the public surface with the one that was last released: what would break its users, and what might surprise them.
import { buildSchema, findBreakingChanges, findDangerousChanges, type GraphQLSchema } from "graphql";

export interface Changes {
  /** Programs that were written for the release fail. */
  readonly breaking: readonly string[];
  /** They go on, and may meet what they do not know, such as a new value of an enum. */
  readonly dangerous: readonly string[];
}

/** Each change in a sentence. */
export function changesSince(releasedSdl: string, schema: GraphQLSchema): Changes {
  const released = buildSchema(releasedSdl);
  return {
    breaking: findBreakingChanges(released, schema).map(({ description }) => description),
    dangerous: findDangerousChanges(released, schema).map(({ description }) => description),
  };
}
