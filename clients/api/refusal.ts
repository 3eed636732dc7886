// Turns what a mutation answers, a payload or a refusal, into the payload or a thrown `RefusedError`.
import { graphql } from "./graphql.ts";

export interface InputFault {
  /** Where in the input, such as `config.host`; empty: the input as a whole. */
  readonly path: string;
  readonly message: string;
}

/** The hub understood and said no; `message` says what to do about it. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly code: string;
  /** What is wrong with the input, where that is the reason. */
  readonly faults?: readonly InputFault[];

  constructor({ code, message, faults }: Refusal) {
    super(message);
    this.code = code;
    if (faults) this.faults = faults;
  }
}

/** What every mutation asks for besides its payload. */
export const refusal = graphql(`
  fragment Refusal on Failure {
    __typename code message
    ... on InvalidInputError { faults { path message } }
  }
`);

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly faults?: readonly InputFault[];
}

/** What a mutation answers that was accepted. */
export type Payload = { readonly __typename: `${string}Payload` };

/** The payload of a mutation's answer. Throws `RefusedError`. */
export function accepted<Answer extends { readonly __typename: string }>(answer: Answer): Extract<Answer, Payload> {
  if (isPayload(answer)) return answer;
  throw new RefusedError(answer as Answer & Refusal);
}

function isPayload<Answer extends { readonly __typename: string }>(answer: Answer): answer is Extract<Answer, Payload> {
  return answer.__typename.endsWith("Payload");
}
