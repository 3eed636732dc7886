// A file that is written once from its beginning to its end, and is on the disk when it is finished.
import type { FileHandle } from "node:fs/promises";
import { StorageError } from "../errors.ts";
import { writeFully } from "./local-file.ts";

/** Written so far and not on its way to the disk yet: more would only make everybody wait at the end. */
const mostUnsynced = 67_108_864;

/** Takes the handle over. Calls come one after another; a write that failed may be repeated. */
export class DurableFile {
  readonly #handle: FileHandle;
  #written = 0;
  #syncedTo = 0;
  #syncing: Promise<void> | null = null;
  /** What the system could not write, it forgets: a later sync would succeed and mean nothing. */
  #loss: { readonly error: unknown } | null = null;
  #isDurable = false;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(part: Uint8Array): Promise<void> {
    await writeFully(this.#handle, part, this.#written);
    this.#written += part.length;
    if (this.#written - this.#syncedTo < mostUnsynced || this.#syncing !== null) return;
    this.#syncedTo = this.#written;
    this.#syncing = this.#sync(() => this.#handle.datasync()).finally(() => {
      this.#syncing = null;
    });
    this.#syncing.catch(() => {});
  }

  /** May be called again after a failure: throws `StorageError` `NOT_STORED` where the file is lost. */
  async finish(): Promise<void> {
    if (this.#loss) throw new StorageError("NOT_STORED", "The file was lost on its way to the disk.");
    if (!this.#isDurable) {
      await this.#syncing;
      await this.#sync(() => this.#handle.sync());
      this.#isDurable = true;
    }
    await this.#handle.close();
  }

  /** For a file that is given up. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #sync(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#loss = { error };
      throw error;
    }
    if (this.#loss) throw this.#loss.error;
  }
}
