// The ways in which an artifact or its storage can fail, told apart by class because a customer does different things about them.

/** An artifact that cannot be made, opened or trusted. */
export class ArtifactError extends Error {
  readonly code: "ARTIFACT_CORRUPT" | "KEY_UNAVAILABLE" | "UNSUPPORTED_VERSION" | "ENTRY_REFUSED" | "LIMIT_EXCEEDED";
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(
    code: ArtifactError["code"],
    message: string,
    facts: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "ArtifactError";
    this.code = code;
    this.facts = facts;
  }
}

/** One entry's content could not be read to its end; the artifact goes on without the rest of it. */
export class EntryInterruptedError extends Error {
  override readonly name = "EntryInterruptedError";
}

/** A storage that refused or failed. `STORAGE_UNAVAILABLE` may be tried again. */
export class StorageError extends Error {
  readonly code: "DISK_FULL" | "STORAGE_UNAVAILABLE" | "NOT_STORED";

  constructor(code: StorageError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StorageError";
    this.code = code;
  }
}
