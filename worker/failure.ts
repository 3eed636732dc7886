// Says why a job failed: for whatever was thrown one code of the closed list and one sentence for the customer.
import { ArtifactError, StorageError } from "#artifact/node";
import { DamageError } from "../clients/hub/damage-error.ts";
import { HubError } from "../clients/hub/hub-error.ts";
import { JobCanceledError, JobOverdueError, LeaseLostError } from "../clients/hub/keep-alive/lease.ts";
import { SourceError, type SourceErrorCode } from "./sources/source-error.ts";

/** Of the closed list, those that a source has no sentence of its own for. */
const sentences = {
  ARTIFACT_CORRUPT:
    "What was stored could not be read back unchanged, so it was not kept: ask the operator to check the disk.",
  CANCELED: "The job was canceled.",
  DISK_FULL: "The worker has no room left for this backup: ask the operator to free or add space.",
  KEY_UNAVAILABLE: "The key of this tenant cannot be used to seal backups: check the keys of this tenant.",
  LEASE_LOST: "The worker fell silent in the middle of this job.",
  QUOTA_EXCEEDED: "This backup is larger than the plan has room for: delete old snapshots or enlarge the plan.",
  STORAGE_UNAVAILABLE: "The storage of the worker cannot be used now: ask the operator if it fails again.",
  TIMEOUT: "The worker could not finish this job: try again, and ask the operator if it fails again.",
  WORKER_OFFLINE: "No worker that is running can do this kind of job.",
} as const;

export type FailureCode = keyof typeof sentences | SourceErrorCode;

export interface Failure {
  readonly code: FailureCode;
  /** A sentence that a customer can act on; nothing that any other program said. */
  readonly message: string;
  /** Nothing of the snapshot is stored. */
  readonly missing?: boolean;
}

/** The disk is not there that the store of this worker lies on. */
export class StoreGoneError extends Error {
  override readonly name = "StoreGoneError";

  constructor(options: ErrorOptions) {
    super("the store of this worker is not where it was", options);
  }
}

/** Work that this worker cannot do. */
export class JobRefusedError extends Error {
  override readonly name = "JobRefusedError";
}

/** Total: what has no name here is `TIMEOUT`, which the hub tries again. */
export function failureOf(error: unknown): Failure {
  if (error instanceof SourceError) return { code: error.code, message: error.message };
  if (error instanceof LeaseLostError || error instanceof JobCanceledError) return failure(error.code);
  if (error instanceof JobOverdueError) return { code: error.code, message: error.message };
  if (error instanceof DamageError) return { code: "ARTIFACT_CORRUPT", message: error.message, missing: error.missing };
  if (error instanceof StoreGoneError) return failure("STORAGE_UNAVAILABLE");
  if (error instanceof ArtifactError) return artifactFailure(error.code);
  if (error instanceof StorageError) return failure(error.code === "DISK_FULL" ? "DISK_FULL" : "STORAGE_UNAVAILABLE");
  if (error instanceof HubError && error.code === "LEASE_LOST") return failure("LEASE_LOST");
  if (error instanceof JobRefusedError) return failure("WORKER_OFFLINE");
  return failure(isDiskFull(error) ? "DISK_FULL" : "TIMEOUT");
}

function artifactFailure(code: ArtifactError["code"]): Failure {
  switch (code) {
    case "ARTIFACT_CORRUPT":
      return failure("ARTIFACT_CORRUPT");
    case "KEY_UNAVAILABLE":
      return failure("KEY_UNAVAILABLE");
    case "LIMIT_EXCEEDED":
      return failure("QUOTA_EXCEEDED");
    case "ENTRY_REFUSED":
    case "UNSUPPORTED_VERSION":
      return failure("TIMEOUT");
  }
}

function failure(code: keyof typeof sentences): Failure {
  return { code, message: sentences[code] };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EFBIG"].includes(String(error.code));
}
