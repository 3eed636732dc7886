// What goes wrong between a client and the hub, by code. What the hub refuses with good reason is a `RefusedError` instead.

export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The hub's own `extensions.code`, or `UNREACHABLE` (no answer) or `BAD_ANSWER` (an answer that is none). */
  readonly code: string;
  /** What the operator of the hub finds in its log, for errors of the hub itself. */
  readonly reference?: string;

  constructor(
    code: string,
    message: string,
    { reference, ...options }: ErrorOptions & { readonly reference?: string | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    if (reference !== undefined) this.reference = reference;
  }

  /** Whether the same may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return retryableCodes.has(this.code);
  }
}

const retryableCodes: ReadonlySet<string> = new Set(["UNREACHABLE", "INTERNAL", "SERVICE_UNAVAILABLE", "RATE_LIMITED"]);

/** The form of an error in an answer of any GraphQL server. */
export interface AnsweredError {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** `fallbackCode`: for errors that name none. */
export function apiErrorOf({ message, extensions }: AnsweredError, fallbackCode: string): ApiError {
  const code = typeof extensions?.code === "string" ? extensions.code : fallbackCode;
  const reference = typeof extensions?.reference === "string" ? extensions.reference : undefined;
  return new ApiError(code, message, { reference });
}
