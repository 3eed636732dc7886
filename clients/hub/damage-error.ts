// What a check of a snapshot found: the end of its job, and no failure of whoever looked.

export class DamageError extends Error {
  override readonly name = "DamageError";
  /** Nothing of the snapshot is there. */
  readonly missing: boolean;

  /** `message` is a sentence that a customer can act on. */
  constructor(message: string, { missing, cause }: { missing: boolean; cause: unknown }) {
    super(message, { cause });
    this.missing = missing;
  }
}
