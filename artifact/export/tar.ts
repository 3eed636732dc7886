// Writes entries as a tar, every one as the artifact's own tar has it, for there is only one way to write it.
import { pathBytes } from "../entry-path.ts";
import type { OpenedEntry } from "../opened-entry.ts";
import { encodeTarHeader, paddedBytes } from "../tar/header.ts";
import { blockBytes } from "../tar/layout.ts";

const zeros = new Uint8Array(2 * blockBytes);

/** The bytes of the archive. A piece is its reader's until the next one is asked for. */
export async function* tar(entries: AsyncIterable<OpenedEntry>): AsyncGenerator<Uint8Array> {
  for await (const { path, linkTarget, content, ...facts } of entries) {
    const linkName = linkTarget === undefined ? null : pathBytes(linkTarget);
    yield encodeTarHeader({ ...facts, name: pathBytes(path), linkName });
    if (facts.kind === "file") yield* content;
    const padding = paddedBytes(facts.size) - facts.size;
    if (padding > 0) yield zeros.subarray(0, padding);
  }
  yield zeros;
}
