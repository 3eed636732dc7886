// The refusals of the domain: each a class with a stable code and a sentence for a customer.

/** What every refusal is. Only these messages ever reach a customer. */
export abstract class DomainError extends Error {
  abstract readonly code: string;
}

/** Unknown, or somebody else's: nobody can tell which. */
export class NotFoundError extends DomainError {
  readonly code = "NOT_FOUND";
  constructor() {
    super("There is nothing of yours with this id.");
  }
}

export class UnauthenticatedError extends DomainError {
  readonly code = "UNAUTHENTICATED";
  constructor() {
    super("Sign in first.");
  }
}

export class ForbiddenError extends DomainError {
  readonly code = "FORBIDDEN";
  constructor() {
    super("Your role does not allow this.");
  }
}

export class SignInFailedError extends DomainError {
  readonly code = "SIGN_IN_FAILED";
  constructor() {
    super("The e-mail address or the password is wrong.");
  }
}

export class WrongPasswordError extends DomainError {
  readonly code = "WRONG_PASSWORD";
  constructor() {
    super("This is not your password.");
  }
}

/** The refresh token is unknown, expired or revoked, or was used before. */
export class SessionEndedError extends DomainError {
  readonly code = "SESSION_ENDED";
  constructor() {
    super("This session has ended: sign in again.");
  }
}

/** A token that works once does not: unknown, used, revoked and expired are one answer. */
export class InvalidTokenError extends DomainError {
  readonly code = "INVALID_TOKEN";
  constructor() {
    super("This token does not work, or not any more: ask for a new one.");
  }
}

export class AlreadyMemberError extends DomainError {
  readonly code = "ALREADY_MEMBER";
  constructor() {
    super("This person has a part in the tenant already.");
  }
}

/** Somebody has to be able to look after the tenant. */
export class LastOwnerError extends DomainError {
  readonly code = "LAST_OWNER";
  constructor() {
    super("A tenant needs an owner: make somebody else one first.");
  }
}

export interface InputFault {
  /** Where in the input, e.g. `config.host`. */
  readonly path: string;
  readonly message: string;
}

/** The input cannot be taken as it is; `faults` says where and why. */
export class InvalidInputError extends DomainError {
  readonly code = "BAD_INPUT";
  readonly faults: readonly InputFault[];
  constructor(faults: readonly InputFault[]) {
    super(faults.map((fault) => (fault.path ? `${fault.path}: ${fault.message}` : fault.message)).join(" "));
    this.faults = faults;
  }
}

export class QuotaExceededError extends DomainError {
  readonly code = "QUOTA_EXCEEDED";
  readonly limit: number;
  constructor(what: string, limit: number) {
    super(`Your plan allows ${limit} ${what}.`);
    this.limit = limit;
  }
}

export class SourceNotTestedError extends DomainError {
  readonly code = "SOURCE_NOT_TESTED";
  constructor() {
    super("Test this source once first, so that its host key is known.");
  }
}

export class SourceDisabledError extends DomainError {
  readonly code = "SOURCE_DISABLED";
  constructor() {
    super("This source is disabled; enable it first.");
  }
}

/** Snapshots of the source are still kept. */
export class SourceHasSnapshotsError extends DomainError {
  readonly code = "SOURCE_HAS_SNAPSHOTS";
  readonly count: number;
  constructor(count: number) {
    super(
      `This source has ${count} ${count === 1 ? "snapshot" : "snapshots"}. Delete ${count === 1 ? "it" : "them"} first, or say that ${count === 1 ? "it goes" : "they go"} with it.`,
    );
    this.count = count;
  }
}

export class TenantSuspendedError extends DomainError {
  readonly code = "TENANT_SUSPENDED";
  constructor(status: "SUSPENDED" | "DELETING" = "SUSPENDED") {
    super(status === "SUSPENDED" ? "This tenant is suspended." : "This tenant is being deleted.");
  }
}

/** The time in which the tenant's deletion could be taken back is over. */
export class DeletionDueError extends DomainError {
  readonly code = "DELETION_DUE";
  constructor() {
    super("It is too late: the deletion of this tenant has begun.");
  }
}

/** The worker keeps snapshots that would be out of reach without it. */
export class WorkerInUseError extends DomainError {
  readonly code = "WORKER_IN_USE";
  readonly snapshotCount: number;
  constructor(snapshotCount: number) {
    super(
      `This worker keeps ${snapshotCount} ${snapshotCount === 1 ? "snapshot" : "snapshots"} that cannot be restored without it: retire it with force to give them up.`,
    );
    this.snapshotCount = snapshotCount;
  }
}

/** Nobody may make us connect to what is not public. */
export class HostNotAllowedError extends DomainError {
  readonly code = "HOST_NOT_ALLOWED";
  constructor(host: string) {
    super(
      `The host “${host}” is not a public address. Name one that can be reached over the internet, or ask the operator of this installation to allow its network.`,
    );
  }
}

export class CredentialInUseError extends DomainError {
  readonly code = "CREDENTIAL_IN_USE";
  constructor() {
    super("A source uses this credential: give that source another one first.");
  }
}

export class RateLimitedError extends DomainError {
  readonly code = "RATE_LIMITED";
  constructor(what: string, wait = "a minute") {
    super(`Too many ${what} in a short time: wait ${wait}.`);
  }
}

/** A backup of this source is queued or running already. */
export class BackupAlreadyRunningError extends DomainError {
  readonly code = "BACKUP_ALREADY_RUNNING";
  readonly jobId: string;
  constructor(jobId: string) {
    super("A backup of this source is under way already.");
    this.jobId = jobId;
  }
}

export class SnapshotNotRestorableError extends DomainError {
  readonly code = "SNAPSHOT_NOT_RESTORABLE";
  constructor(status: string) {
    super(`This snapshot cannot be restored: it is ${status.toLowerCase()}.`);
  }
}

export class SnapshotInUseError extends DomainError {
  readonly code = "SNAPSHOT_IN_USE";
  constructor(reason: "pinned" | "being restored") {
    super(`This snapshot is ${reason}; it cannot be deleted now.`);
  }
}

/** Only the customer holds the key of this snapshot. */
export class CustomerKeyRequiredError extends DomainError {
  readonly code = "CUSTOMER_KEY_REQUIRED";
  constructor() {
    super(
      "Only you hold the key of this snapshot, so it cannot be opened here: restore it with the form SEALED and open it with your own key: age -d -i key.txt backup.tar.zst.enc | zstd -d | tar x",
    );
  }
}

/** The platform's key that a snapshot is sealed to was disabled, or what is kept of it is not the key. */
export class KeyUnavailableError extends DomainError {
  readonly code = "KEY_UNAVAILABLE";
  readonly keyId: string;
  constructor(keyId: string, reason: "disabled" | "unreadable" = "disabled") {
    super(
      reason === "disabled"
        ? `The key ${keyId} that this snapshot is sealed to was disabled: nothing that needs it can be restored.`
        : `The key ${keyId} that this snapshot is sealed to cannot be read: ask the operator to look at it.`,
    );
    this.keyId = keyId;
  }
}

/** Without a key that is active no backup could be sealed. */
export class LastKeyError extends DomainError {
  readonly code = "LAST_KEY";
  constructor() {
    super("New backups are sealed to this key alone: rotate the key or name recipients of your own first.");
  }
}

/** A deletion stands in the way: one that can be taken back until `dueAt`, or, where that is null, one that cannot. */
export class SnapshotDeletedError extends DomainError {
  readonly code = "SNAPSHOT_DELETED";
  constructor(dueAt: Date | null) {
    super(
      dueAt
        ? "The deletion of this snapshot was asked for: take that back with undeleteSnapshot first."
        : "The bytes of this snapshot are being removed or are gone: that cannot be taken back.",
    );
  }
}

export class RestoreEndedError extends DomainError {
  readonly code = "RESTORE_ENDED";
  constructor(status: string) {
    super(`This restore has ended already: it is ${status.toLowerCase()}.`);
  }
}

/** Only what failed or was canceled can be tried again. */
export class JobNotRetryableError extends DomainError {
  readonly code = "JOB_NOT_RETRYABLE";
}

export class JobEndedError extends DomainError {
  readonly code = "JOB_ENDED";
  constructor(status: string) {
    super(`This job has ended already: it is ${status.toLowerCase()}.`);
  }
}

/** The worker's lease on the job is over; whatever it carries is not accepted any more. */
export class LeaseLostError extends DomainError {
  readonly code = "LEASE_LOST";
  constructor() {
    super("this lease is over");
  }
}

/** The other side speaks a version of the private protocol that is not spoken here. */
export class UpgradeRequiredError extends DomainError {
  readonly code = "UPGRADE_REQUIRED";
  constructor(theirs: number, oldest: number, newest: number) {
    super(`protocol ${theirs} is not spoken here; this hub speaks ${oldest} to ${newest}`);
  }
}
