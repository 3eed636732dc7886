// One remote directory, read in batches that are asked for ahead of the reader.
import type { FileEntryWithStats } from "ssh2";
import type { Handle, SftpSession } from "./session.ts";

/** The second answer of most directories is that there are no more names: asked for together, the two cost one round trip. */
const batchesAhead = 2;

type Batch = readonly FileEntryWithStats[] | null;

/** Sends its first requests at once. Owns a handle of the server's until `next` has answered null or `close` was called. */
export class Listing {
  readonly #session: SftpSession;
  readonly #handle: Promise<Handle>;
  readonly #asked: Promise<Batch>[] = [];
  #closed = false;

  constructor(session: SftpSession, remotePath: string) {
    this.#session = session;
    this.#handle = session.openDirectory(remotePath);
    for (let batch = 0; batch < batchesAhead; batch++) this.#ask();
  }

  /** The next names, possibly none; null at the end. Rejects like the session's methods. */
  async next(): Promise<Batch> {
    const batch = (await this.#asked.shift()) ?? null;
    if (batch) this.#ask();
    else this.close();
    return batch;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.then(
      (handle) => this.#session.close(handle),
      () => undefined,
    );
  }

  #ask(): void {
    const batch = this.#handle.then((handle) => this.#session.readDirectory(handle));
    // Looked at when its turn comes, which may be never.
    batch.catch(() => undefined);
    this.#asked.push(batch);
  }
}
