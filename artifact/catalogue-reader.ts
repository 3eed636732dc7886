// Reads a catalogue to its end and checks its shape: a header, the entries, the warnings, and a closing line that counts them.
import { type CatalogueLine, maxLineLength, parseCatalogueLine } from "./catalogue.ts";
import { ArtifactError } from "./errors.ts";
import type { Manifest } from "./manifest.ts";

/** The lines between the header and the closing line. */
export async function* readCatalogue(
  plain: AsyncIterable<Uint8Array>,
  manifest: Manifest,
): AsyncGenerator<Extract<CatalogueLine, { kind: "entry" | "warning" }>> {
  const { files, directories, symlinks, hardlinks } = manifest.counts;
  const entryCount = files + directories + symlinks + hardlinks;
  const seen = { header: 0, entry: 0, warning: 0, end: 0 };
  for await (const text of linesOf(plain)) {
    const line = parseCatalogueLine(text);
    const isFirst = seen.header === 0;
    seen[line.kind] += 1;
    if (isFirst !== (line.kind === "header") || seen.end > (line.kind === "end" ? 1 : 0)) throw misshapen();
    switch (line.kind) {
      case "header":
        if (JSON.stringify(line.ids) !== JSON.stringify(manifest.ids)) throw misshapen();
        break;
      case "end":
        if (line.entries !== seen.entry || line.warnings !== seen.warning || line.entries !== entryCount)
          throw misshapen();
        break;
      case "entry":
        if (seen.entry > entryCount)
          throw new ArtifactError("LIMIT_EXCEEDED", "The catalogue has more entries than its manifest says.");
        yield line;
        break;
      case "warning":
        yield line;
        break;
    }
  }
  if (seen.end !== 1) throw misshapen();
}

async function* linesOf(plain: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const bytes of plain) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLineLength) throw misshapen();
    yield* lines;
  }
  if (rest + decoder.decode() !== "") throw misshapen();
}

function misshapen(): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", "The catalogue is damaged: its lines are not those of one catalogue.");
}
