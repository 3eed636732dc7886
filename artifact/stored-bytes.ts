// Counts what one artifact takes in the storage, and ends it where that is more than it may.
import { ArtifactError } from "./errors.ts";

export class StoredBytes {
  /** Parts that the storage took. */
  bytes = 0;
  #spooled = 0;
  readonly #most: number;

  constructor(most = Number.POSITIVE_INFINITY) {
    this.#most = most;
  }

  /** Throws `ArtifactError` `LIMIT_EXCEEDED`. */
  add(bytes: number): void {
    this.bytes += bytes;
    this.#refusePast();
  }

  /** Bytes that will be stored once their spool is: they count until then, and `unspool` takes them back. */
  spool(bytes: number): void {
    this.#spooled += bytes;
    this.#refusePast();
  }

  unspool(): void {
    this.#spooled = 0;
  }

  #refusePast(): void {
    if (this.bytes + this.#spooled > this.#most)
      throw new ArtifactError("LIMIT_EXCEEDED", "The backup is larger than it may become.", { maxBytes: this.#most });
  }
}
