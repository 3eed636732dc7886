// Counts how far a preparation has come, for whoever watches the job.
import type { Entry, Manifest } from "#artifact/node";
import type { JobProgress } from "../clients/hub/progress-channel.ts";

export interface ProgressTerms {
  readonly leaseEpoch: number;
  readonly publish: (progress: JobProgress) => void;
}

/** Everything passes through it, also what is not selected: that is read and proven like the rest. */
export class Progress {
  readonly #terms: ProgressTerms;
  readonly #manifest: Manifest;
  #filesDone = 0;
  #bytesDone = 0;
  #bytesTotal = 0;
  #written = 0;

  constructor(manifest: Manifest, terms: ProgressTerms) {
    this.#manifest = manifest;
    this.#terms = terms;
  }

  async *tar(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#begin(this.#manifest.artifact.plainBytes);
    for await (const chunk of content) {
      this.#bytesDone += chunk.length;
      this.#publish();
      yield chunk;
    }
    this.#filesDone = this.#manifest.counts.files;
    this.#publish();
  }

  async *entries(entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
    this.#begin(this.#manifest.plainBytes);
    for await (const entry of entries) {
      const before = this.#bytesDone;
      yield entry.content ? { ...entry, content: this.#content(entry.content) } : entry;
      if (entry.kind === "file") this.#filesDone += 1;
      this.#bytesDone = before + (entry.size ?? 0);
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

  #begin(bytesTotal: number): void {
    this.#bytesTotal = bytesTotal;
    this.#bytesDone = 0;
    this.#filesDone = 0;
  }

  #publish(): void {
    this.#terms.publish({
      leaseEpoch: this.#terms.leaseEpoch,
      phase: "PREPARING",
      filesDone: this.#filesDone,
      filesTotal: this.#manifest.counts.files,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      storedBytes: this.#written,
    });
  }
}
