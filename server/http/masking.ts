// What a caller may read of an error: a refusal's own sentence, or nothing but a reference that the log has too.
import { randomUUID } from "node:crypto";
import { GraphQLError } from "graphql";
import type { Logger } from "pino";
import { logFacts } from "../../clients/hub/log-context.ts";
import { DomainError, UnauthenticatedError } from "../../domain/errors.ts";
import { isDatabaseAway, isWriteConflict } from "../../prisma/failures.ts";

/**
 * Yoga's `maskError`: refusals keep message and code, faults in the document are the caller's, everything else is masked, with the id
 * of the request as its reference. `onRefused` hears of every error that was not masked before, by its code.
 */
export function maskErrors(log: Logger, onRefused?: (code: string) => void): (error: unknown) => GraphQLError {
  const mask = maskError(log);
  const known = new WeakSet<object>();
  return (error) => {
    const masked = mask(error);
    if (!known.has(error as object)) onRefused?.(String(masked.extensions.code));
    known.add(masked);
    return masked;
  };
}

function maskError(log: Logger): (error: unknown) => GraphQLError {
  return (error) => {
    const cause = error instanceof GraphQLError ? error.originalError : error;
    if (cause instanceof UnauthenticatedError)
      return reply(error, cause.message, { code: cause.code, http: unauthorized });
    if (cause instanceof DomainError) return reply(error, cause.message, { code: cause.code });
    if (error instanceof GraphQLError && cause === undefined) return reply(error, error.message, tellable(error));
    if (cause instanceof GraphQLError) return reply(error, cause.message, tellable(cause));
    const reference = logFacts().requestId ?? randomUUID();
    const passing = passingMessage(cause);
    if (passing !== null) {
      log.warn({ reference, err: cause }, "the database did not serve");
      return reply(error, passing, { code: "SERVICE_UNAVAILABLE", reference, http: unavailable });
    }
    log.error({ reference, err: cause }, "unexpected error");
    return reply(error, "Something went wrong on our side.", { code: "INTERNAL", reference });
  };
}

/** What to tell of an error that passes by itself; null for one that does not. */
export function passingMessage(error: unknown): string | null {
  if (isWriteConflict(error)) return "Others changed the same thing at the same moment: try again.";
  return isDatabaseAway(error) ? "The service is not available at this moment: try again shortly." : null;
}

const suggestion = /,?\s*did you mean [^?]*\?/gi;

/** RFC 9110 §15.5.2. */
const unauthorized = { status: 401, headers: { "www-authenticate": "Bearer" } };

/** A status for clients of the new kind; those of the old one find the code in a 200. */
const unavailable = { spec: true, status: 503, headers: { "retry-after": "5" } };

/** Of what libraries attach, the code, the status that it becomes over HTTP, and the reference of an error masked before. */
function tellable({ extensions: { code = "BAD_USER_INPUT", http, reference } }: GraphQLError): Record<string, unknown> {
  return { code, ...(isObject(http) && { http: plain(code, http) }), ...(reference !== undefined && { reference }) };
}

/** With `spec`, clients of the old kind get the status 200 where the operation was read; a body that is none was not. */
function plain(code: unknown, { spec, ...http }: Readonly<Record<string, unknown>>): object {
  return code === "BAD_REQUEST" || spec === undefined ? http : { ...http, spec };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function reply(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes, path } = error instanceof GraphQLError ? error : {};
  return new GraphQLError(withoutSuggestion(message), { nodes: nodes ?? null, path: path ?? null, extensions });
}

/** Libraries help whoever misspells a name by telling the names that there are. */
function withoutSuggestion(message: string): string {
  return message.replace(suggestion, "");
}

/** The same error, which tells nothing but what is wrong. */
export function unsuggesting(error: GraphQLError): GraphQLError {
  const { message, nodes, extensions } = error;
  const plain = withoutSuggestion(message);
  return plain === message ? error : new GraphQLError(plain, { nodes: nodes ?? null, extensions });
}
