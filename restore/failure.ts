// Says why a download could not be prepared: for every error one code of the closed list and one sentence for the customer.
import { ArtifactError, ExportError, StorageError } from "#artifact/node";
import { DamageError } from "../clients/hub/damage-error.ts";
import { HubError } from "../clients/hub/hub-error.ts";
import { JobCanceledError, JobOverdueError, LeaseLostError } from "../clients/hub/keep-alive/lease.ts";

/** Of the closed list, those that a restore can end with; each with what is said where nothing better is known. */
const sentences = {
  ARTIFACT_CORRUPT:
    "The stored snapshot is damaged, so nothing of it is handed out: restore another snapshot of this source.",
  CANCELED: "The restore was canceled.",
  CUSTOMER_KEY_REQUIRED: "Only you hold the key of this snapshot: fetch it sealed, and open it with your key.",
  DISK_FULL: "The restore service has no room for this download now: try again later, or select fewer paths.",
  KEY_UNAVAILABLE: "No key that is available here opens this snapshot.",
  LEASE_LOST: "The restore service fell silent in the middle of this restore.",
  PATH_NOT_FOUND: "The snapshot does not hold what was selected.",
  QUOTA_EXCEEDED: "This snapshot is larger than what may be prepared here: select fewer paths.",
  STORAGE_UNAVAILABLE: "The storage that holds this snapshot cannot be read now: try again later.",
  TIMEOUT: "The restore service could not finish this download: try again, and ask the operator if it fails again.",
} as const;

export type FailureCode = keyof typeof sentences;

export interface Failure {
  readonly code: FailureCode;
  /** A sentence that a customer can act on. */
  readonly message: string;
  /** Nothing of the snapshot is stored. */
  readonly missing?: boolean;
}

/** A download that this service refuses to prepare, with a sentence of its own. */
export class PreparationError extends Error {
  override readonly name = "PreparationError";
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Total: what has no name here is `TIMEOUT`, which the hub tries again. */
export function failureOf(error: unknown): Failure {
  if (error instanceof PreparationError) return failure(error.code, error.message);
  if (error instanceof DamageError) return { ...failure("ARTIFACT_CORRUPT", error.message), missing: error.missing };
  if (error instanceof ExportError)
    return failure(error.code === "NOT_FOUND" ? "PATH_NOT_FOUND" : "QUOTA_EXCEEDED", error.message);
  if (error instanceof LeaseLostError || error instanceof JobCanceledError) return failure(error.code);
  if (error instanceof JobOverdueError) return failure(error.code, error.message);
  if (error instanceof ArtifactError) return artifactFailure(error.code);
  if (error instanceof StorageError) return failure(error.code === "DISK_FULL" ? error.code : "STORAGE_UNAVAILABLE");
  // The hub's own sentence names the key.
  if (error instanceof HubError && error.code === "KEY_UNAVAILABLE") return failure(error.code, error.message);
  if (error instanceof HubError && Object.hasOwn(sentences, error.code)) return failure(error.code as FailureCode);
  return failure(isDiskFull(error) ? "DISK_FULL" : "TIMEOUT");
}

function artifactFailure(code: ArtifactError["code"]): Failure {
  switch (code) {
    case "ARTIFACT_CORRUPT":
    case "ENTRY_REFUSED":
      return failure("ARTIFACT_CORRUPT");
    case "KEY_UNAVAILABLE":
      return failure("KEY_UNAVAILABLE");
    case "LIMIT_EXCEEDED":
      return failure("QUOTA_EXCEEDED");
    case "UNSUPPORTED_VERSION":
      return failure(
        "STORAGE_UNAVAILABLE",
        "This snapshot was made by a newer xVault than this restore service: ask the operator to update it.",
      );
  }
}

function failure(code: FailureCode, message: string = sentences[code]): Failure {
  return { code, message };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EFBIG"].includes(String(error.code));
}
