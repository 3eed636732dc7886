// One document, sent over HTTP, and its answer.
import { z } from "zod";
import { ApiError, apiErrorOf } from "./api-error.ts";

export interface Call {
  readonly endpoint: URL;
  readonly token: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly body: string;
  /** How long the answer may take. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** The `data` of the answer. Throws `ApiError`, or the reason of a signal that was aborted. */
export async function post({ endpoint, token, fetch, body, timeoutMs, signal }: Call): Promise<unknown> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        "content-type": "application/json",
        accept: "application/json",
      },
      body,
      // A redirect would take the token to another host.
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    return readAnswer(response.status, await response.text(), endpoint);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ApiError) throw error;
    const what = deadline.aborted ? `gave no answer within ${timeoutMs / 1000} seconds` : "cannot be reached";
    throw new ApiError("UNREACHABLE", `The hub at ${endpoint.origin} ${what}.`, { cause: error });
  }
}

const answerSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(z.object({ message: z.string(), extensions: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
});

function readAnswer(status: number, text: string, { origin }: URL): unknown {
  const answer = answerSchema.safeParse(parseJson(text)).data;
  const error = answer?.errors?.[0];
  if (error) throw apiErrorOf(error, codeOf(status));
  if (answer?.data && status === 200) return answer.data;
  throw new ApiError(codeOf(status), `${origin} does not answer like a hub of xVault (HTTP status ${status}).`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(status: number): string {
  if (status === 401) return "UNAUTHENTICATED";
  if (status === 429) return "RATE_LIMITED";
  return status >= 500 ? "UNREACHABLE" : "BAD_ANSWER";
}
