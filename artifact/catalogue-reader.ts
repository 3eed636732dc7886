// Reads a catalogue to its end and checks its shape: a header, entries that lie side by side, warnings, and a line that counts them.
import { giveBack } from "./bytes.ts";
import { type CatalogueLine, maxLineLength, parseCatalogueLine } from "./catalogue.ts";
import type { CatalogueSelection } from "./catalogue-selection.ts";
import { type SkimmedEntry, skimEntry } from "./catalogue-skim.ts";
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
      const skimmed = selection ? skimEntry(line) : null;
      if (skimmed && !selection?.has(skimmed.path)) {
        shape.admitEntry(skimmed);
        continue;
      }
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
  readonly #warnings = new Map<string, number>();
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
        this.admitEntry(line.entry);
        break;
      case "warning":
        if (seen.header === 0 || seen.end > 0) throw misshapen();
        seen.warning += 1;
        this.#warnings.set(line.warning.code, (this.#warnings.get(line.warning.code) ?? 0) + 1);
        break;
      case "end":
        if (seen.header === 0 || seen.end > 0) throw misshapen();
        if (line.entries !== seen.entry || line.warnings !== seen.warning) throw misshapen();
        seen.end = 1;
        break;
    }
  }

  admitEntry({ offset, contentOffset, size }: Omit<SkimmedEntry, "path">): void {
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
    const told = Object.entries(this.#manifest.warnings).filter(([, count]) => count > 0);
    if (told.length !== this.#warnings.size || told.some(([code, count]) => this.#warnings.get(code) !== count))
      throw misshapen();
    if (this.#tarPosition + 2 * blockBytes !== this.#manifest.artifact.plainBytes) throw misplaced();
  }
}

/** The lines that end in one frame at a time: a line costs no promise of its own. */
async function* linesOf(plain: AsyncIterable<Piece>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const { bytes } of plain) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    giveBack(bytes);
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
