// Reads a catalogue to its end and checks its shape: a header, entries that lie side by side, warnings, and a line that counts them.
import { type CatalogueEntry, type CatalogueLine, maxLineLength, parseCatalogueLine } from "./catalogue.ts";
import type { CatalogueSelection } from "./catalogue-selection.ts";
import { ArtifactError } from "./errors.ts";
import type { Manifest } from "./manifest.ts";
import type { Piece } from "./tar/byte-queue.ts";
import { paddedBytes } from "./tar/header.ts";
import { blockBytes, isHeaderLength } from "./tar/layout.ts";

/** The entries that are selected, all of them by default, and the warnings behind them. Reads on to the last line for either. */
export async function* readCatalogue(
  plain: AsyncIterable<Piece>,
  manifest: Manifest,
  selection?: CatalogueSelection,
): AsyncGenerator<Extract<CatalogueLine, { kind: "entry" | "warning" }>> {
  const shape = new CatalogueShape(manifest);
  for await (const lines of linesOf(plain))
    for (const line of lines) {
      const parsed = parseCatalogueLine(line);
      shape.admit(parsed);
      if (parsed.kind === "warning") yield parsed;
      if (parsed.kind === "entry" && (!selection || selection.has(parsed.entry.path))) yield parsed;
    }
  shape.end();
}

/** Throws `ArtifactError` at the first line that is out of place. */
class CatalogueShape {
  readonly #manifest: Manifest;
  readonly #entryCount: number;
  readonly #seen = { header: 0, entry: 0, warning: 0, end: 0 };
  /** Where in the tar the next entry has to start: two entries that overlap, or a gap, would be two views of one tar. */
  #tarPosition = 0;

  constructor(manifest: Manifest) {
    const { files, directories, symlinks, hardlinks } = manifest.counts;
    this.#manifest = manifest;
    this.#entryCount = files + directories + symlinks + hardlinks;
  }

  admit(line: CatalogueLine): void {
    const seen = this.#seen;
    switch (line.kind) {
      case "header":
        if (seen.header > 0 || JSON.stringify(line.ids) !== JSON.stringify(this.#manifest.ids)) throw misshapen();
        seen.header = 1;
        break;
      case "entry":
        this.#admitEntry(line.entry);
        break;
      case "warning":
        if (seen.header === 0 || seen.end > 0) throw misshapen();
        seen.warning += 1;
        break;
      case "end":
        if (seen.header === 0 || seen.end > 0) throw misshapen();
        if (line.entries !== seen.entry || line.warnings !== seen.warning) throw misshapen();
        seen.end = 1;
        break;
    }
  }

  #admitEntry({ offset, contentOffset, size }: CatalogueEntry): void {
    const seen = this.#seen;
    if (seen.header === 0 || seen.warning > 0 || seen.end > 0) throw misshapen();
    seen.entry += 1;
    if (seen.entry > this.#entryCount)
      throw new ArtifactError("LIMIT_EXCEEDED", "The catalogue has more entries than its manifest says.");
    if (offset !== this.#tarPosition || !isHeaderLength(contentOffset - offset)) throw misplaced();
    this.#tarPosition = contentOffset + paddedBytes(size);
  }

  end(): void {
    const { entry, end } = this.#seen;
    if (end !== 1 || entry !== this.#entryCount) throw misshapen();
    if (this.#tarPosition + 2 * blockBytes !== this.#manifest.artifact.plainBytes) throw misplaced();
  }
}

/** The lines that end in one frame at a time: a line costs no promise of its own. */
async function* linesOf(plain: AsyncIterable<Piece>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const { bytes } of plain) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLineLength || lines.some(({ length }) => length > maxLineLength)) throw misshapen();
    yield lines;
  }
  if (rest + decoder.decode() !== "") throw misshapen();
}

function misshapen(): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", "The catalogue is damaged: its lines are not those of one catalogue.");
}

function misplaced(): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", "The catalogue is damaged: its entries do not fill one archive.");
}
