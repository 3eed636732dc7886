// The one error of the sources: why a source could not be read, in words for the customer who owns it.

export type SourceErrorCode =
  | "HOST_NOT_ALLOWED"
  | "HOST_KEY_CHANGED"
  | "SOURCE_AUTH_FAILED"
  | "SOURCE_DISCONNECTED"
  | "SOURCE_STALLED"
  | "PATH_NOT_FOUND"
  | "DUMP_FAILED"
  | "DUMP_TRUNCATED"
  | "DUMP_VERSION_MISMATCH"
  | "QUOTA_EXCEEDED"
  | "TIMEOUT";

/** `message` is shown to customers: one sentence they can act on, and nothing that a server said. What it said is the `cause`. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: SourceErrorCode;

  constructor(code: SourceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
