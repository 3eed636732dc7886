// Gives every request an id that its caller gets back and that every line logged for it says; and takes the ids that a job's lines share
// out of a worker's command.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as z from "zod";
import { type LogFacts, requestIdIn, withLogFacts } from "../../clients/hub/log-context.ts";

/** An id of the caller's own is kept where `trusted` says that it comes from our side. */
export function withRequestId<T>(
  { request, response, trusted }: { request: IncomingMessage; response: ServerResponse; trusted: boolean },
  work: () => T,
): T {
  const requestId = (trusted ? requestIdIn(request.headers["x-request-id"]) : null) ?? randomUUID();
  response.setHeader("x-request-id", requestId);
  return withLogFacts({ requestId }, work);
}

const leaseInput = z.object({
  input: z.object({ jobId: z.string().max(64).regex(/^\w+$/), leaseEpoch: z.int().optional() }),
});

/** Of the variables of a command about a job. */
export function jobFacts(variables: unknown): LogFacts {
  const { data } = leaseInput.safeParse(variables);
  if (!data) return {};
  const { jobId, leaseEpoch } = data.input;
  return { jobId, ...(leaseEpoch !== undefined && { leaseEpoch }) };
}
