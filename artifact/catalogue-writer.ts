// Collects the lines of a catalogue into frames: a line costs no call of its own.
import { type CatalogueLine, formatCatalogueLine } from "./catalogue.ts";
import type { Warning } from "./entry.ts";
import type { FrameWriter } from "./zstd/frame-writer.ts";

const batchLength = 65_536;

export class CatalogueWriter {
  readonly #frames: FrameWriter;
  #batch = "";
  #entries = 0;

  constructor(frames: FrameWriter) {
    this.#frames = frames;
  }

  /** Answers a promise only where there is something to wait for, and is not to be called again before it resolved. */
  note(line: CatalogueLine): Promise<void> | undefined {
    if (line.kind === "entry") this.#entries += 1;
    this.#batch += formatCatalogueLine(line);
    return this.#batch.length < batchLength ? undefined : this.#writeBatch();
  }

  /** Notes the warnings and the closing line, and hands the rest on. */
  async end(warnings: readonly Warning[]): Promise<void> {
    for (const warning of warnings) await this.note({ kind: "warning", warning });
    await this.note({ kind: "end", entries: this.#entries, warnings: warnings.length });
    await this.#writeBatch();
  }

  #writeBatch(): Promise<void> | undefined {
    const bytes = Buffer.from(this.#batch);
    this.#batch = "";
    return this.#frames.write(bytes);
  }
}
