// A refusal of the domain as a top-level error: for subscriptions, which have no payload to put it in.
import { GraphQLError } from "graphql";
import { DomainError } from "../../domain/errors.ts";

/** Runs the beginning of a subscription; what the domain refuses becomes an error that the watcher may read. */
export async function orRefused<T>(begin: () => Promise<T>): Promise<T> {
  try {
    return await begin();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw new GraphQLError(error.message, { extensions: { code: error.code } });
  }
}
