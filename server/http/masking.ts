// What a caller may read of an error: a refusal's own sentence, or nothing but a reference that the log has too.
import { randomUUID } from "node:crypto";
import { GraphQLError } from "graphql";
import type { Logger } from "pino";
import { DomainError } from "../../domain/errors.ts";

/** Yoga's `maskError`: refusals keep message and code, faults in the document are the caller's, everything else is masked. */
export function maskErrors(log: Logger): (error: unknown) => Error {
  return (error) => {
    const cause = error instanceof GraphQLError ? error.originalError : error;
    if (cause instanceof DomainError) return reply(error, cause.message, { code: cause.code });
    if (error instanceof GraphQLError && cause === undefined)
      return reply(error, error.message, { code: "BAD_USER_INPUT", ...error.extensions });
    if (cause instanceof GraphQLError)
      return reply(error, cause.message, { code: "BAD_USER_INPUT", ...cause.extensions });
    const reference = randomUUID();
    log.error({ reference, err: cause }, "unexpected error");
    return reply(error, "Something went wrong on our side.", { code: "INTERNAL", reference });
  };
}

function reply(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes, path } = error instanceof GraphQLError ? error : {};
  return new GraphQLError(message, { nodes: nodes ?? null, path: path ?? null, extensions });
}
