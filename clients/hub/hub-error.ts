// The one error of the hub client: what went wrong between the data plane and the hub, by code.

export class HubError extends Error {
  override readonly name = "HubError";
  /** The hub's own `extensions.code`, or `UNREACHABLE` (no answer) or `BAD_ANSWER` (an answer that is none). */
  readonly code: string;
  /** As in the hub's log. */
  readonly requestId: string | undefined;

  constructor(code: string, message: string, { requestId, ...options }: ErrorOptions & { requestId?: string } = {}) {
    super(message, options);
    this.code = code;
    this.requestId = requestId;
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return retryableCodes.has(this.code);
  }
}

const retryableCodes: ReadonlySet<string> = new Set(["UNREACHABLE", "INTERNAL", "SERVICE_UNAVAILABLE", "RATE_LIMITED"]);
