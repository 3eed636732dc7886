// The refusals of the domain as types: each mutation declares the ones it may answer with.
import {
  AlreadyMemberError,
  BackupAlreadyRunningError,
  CredentialInUseError,
  CustomerKeyRequiredError,
  DeletionDueError,
  type DomainError,
  HostNotAllowedError,
  type InputFault as InputFaultFacts,
  InvalidInputError,
  InvalidTokenError,
  JobEndedError,
  LastOwnerError,
  NotFoundError,
  QuotaExceededError,
  RateLimitedError,
  SessionEndedError,
  SignInFailedError,
  SnapshotInUseError,
  SnapshotNotRestorableError,
  SourceDisabledError,
  SourceHasSnapshotsError,
  SourceNotTestedError,
  TenantSuspendedError,
  WorkerInUseError,
  WrongPasswordError,
} from "../../domain/errors.ts";
import { builder } from "./builder.ts";

const Failure = builder.interfaceRef<DomainError>("Failure").implement({
  description: "Why something was refused, in a sentence for a person and a code for a program.",
  fields: (t) => ({
    message: t.exposeString("message", { description: "One sentence that says what to do about it." }),
    code: t.exposeString("code", { description: "Stable name of the refusal." }),
  }),
});

const InputFault = builder.objectRef<InputFaultFacts>("InputFault").implement({
  description: "One thing that is wrong with an input.",
  fields: (t) => ({
    path: t.exposeString("path", { description: "Where, such as `config.host`; empty: the input as a whole." }),
    message: t.exposeString("message", { description: "What is wrong, in one sentence." }),
  }),
});

builder.objectType(InvalidInputError, {
  name: "InvalidInputError",
  description: "The input cannot be taken as it is.",
  interfaces: [Failure],
  fields: (t) => ({
    faults: t.field({ type: [InputFault], description: "Every fault found.", resolve: (error) => [...error.faults] }),
  }),
});

builder.objectType(QuotaExceededError, {
  name: "QuotaExceededError",
  description: "The plan allows no more.",
  interfaces: [Failure],
  fields: (t) => ({ limit: t.exposeInt("limit", { description: "What it allows." }) }),
});

builder.objectType(BackupAlreadyRunningError, {
  name: "BackupAlreadyRunningError",
  description: "A backup of this source is queued or running already.",
  interfaces: [Failure],
  fields: (t) => ({ jobId: t.exposeID("jobId", { description: "The backup under way." }) }),
});

builder.objectType(SourceHasSnapshotsError, {
  name: "SourceHasSnapshotsError",
  description: "Snapshots of the source are still kept.",
  interfaces: [Failure],
  fields: (t) => ({ count: t.exposeInt("count", { description: "How many." }) }),
});

builder.objectType(WorkerInUseError, {
  name: "WorkerInUseError",
  description: "The worker keeps snapshots that could not be restored without it.",
  interfaces: [Failure],
  fields: (t) => ({ snapshotCount: t.exposeInt("snapshotCount", { description: "How many." }) }),
});

const plainFailures = [
  [HostNotAllowedError, "HostNotAllowedError", "The host is not one that may be connected to."],
  [CredentialInUseError, "CredentialInUseError", "A source uses this credential."],
  [RateLimitedError, "RateLimitedError", "Too often in a short time."],
  [NotFoundError, "NotFoundError", "There is nothing with this id among what is yours."],
  [SignInFailedError, "SignInFailedError", "The address or the password is wrong; which, is not said."],
  [WrongPasswordError, "WrongPasswordError", "The current password is another."],
  [SessionEndedError, "SessionEndedError", "The session has ended, or its token was used before."],
  [InvalidTokenError, "InvalidTokenError", "The token does not work, or not any more; why, is not said."],
  [AlreadyMemberError, "AlreadyMemberError", "The person has a part in the tenant already."],
  [LastOwnerError, "LastOwnerError", "Nobody would be left to own the tenant."],
  [TenantSuspendedError, "TenantSuspendedError", "The tenant is suspended or being deleted: nothing new can be begun."],
  [DeletionDueError, "DeletionDueError", "The deletion has begun and cannot be taken back any more."],
  [SourceDisabledError, "SourceDisabledError", "The source is disabled."],
  [SourceNotTestedError, "SourceNotTestedError", "The source's host key is not known yet: test it once first."],
  [
    SnapshotNotRestorableError,
    "SnapshotNotRestorableError",
    "The snapshot is in a state that nothing can be restored from.",
  ],
  [SnapshotInUseError, "SnapshotInUseError", "The snapshot is pinned or being restored."],
  [CustomerKeyRequiredError, "CustomerKeyRequiredError", "Only the customer holds the key of this snapshot."],
  [JobEndedError, "JobEndedError", "The job has ended already."],
] as const;

for (const [type, name, description] of plainFailures)
  builder.objectType(type, { name, description, interfaces: [Failure] });
