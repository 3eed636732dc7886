// Counts how far a preparation has come, for whoever watches the job.
import type { OpenedEntry } from "#artifact/node";
import type { JobProgress } from "../clients/hub/progress-channel.ts";

export interface ProgressTerms {
  readonly leaseEpoch: number;
  readonly publish: (progress: JobProgress) => void;
  /** How many there will be. */
  readonly files: number;
  /** Of all their contents. */
  readonly bytes: number;
}

/** Whatever goes into the download passes through it. */
export class Progress {
  readonly #terms: ProgressTerms;
  #filesDone = 0;
  #bytesDone = 0;
  #bytesTotal: number;
  #written = 0;

  constructor(terms: ProgressTerms) {
    this.#terms = terms;
    this.#bytesTotal = terms.bytes;
  }

  /** A whole tar: its files are not looked at, and `bytes` is its length. */
  async *tar(content: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
    this.#bytesTotal = bytes;
    for await (const chunk of content) {
      this.#bytesDone += chunk.length;
      this.#publish();
      yield chunk;
    }
    this.#filesDone = this.#terms.files;
    this.#publish();
  }

  async *entries(entries: AsyncIterable<OpenedEntry>): AsyncGenerator<OpenedEntry> {
    for await (const entry of entries) {
      const before = this.#bytesDone;
      yield { ...entry, content: this.#content(entry.content) };
      if (entry.kind === "file") this.#filesDone += 1;
      this.#bytesDone = before + entry.size;
      this.#publish();
    }
  }

  /** `bytes` of the download are written. */
  written(bytes: number): void {
    this.#written = bytes;
  }

  async *#content(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.#bytesDone += chunk.length;
      this.#publish();
      yield chunk;
    }
  }

  #publish(): void {
    this.#terms.publish({
      leaseEpoch: this.#terms.leaseEpoch,
      phase: "PREPARING",
      filesDone: this.#filesDone,
      filesTotal: this.#terms.files,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      storedBytes: this.#written,
    });
  }
}
