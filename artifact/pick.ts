// Takes single entries out of an artifact: from the catalogue's offsets to the frames that hold them, and nothing else is read.
import { bytesToHex } from "@noble/hashes/utils.js";
import type { CatalogueEntry } from "./catalogue.ts";
import type { Engine } from "./engine/engine.ts";
import { printablePath } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";
import { LinkGuard } from "./link-guard.ts";
import { isDescribedBy, type OpenedEntry, openedEntry } from "./opened-entry.ts";
import type { SealedReader, Step } from "./sealed-reader.ts";
import { ByteQueue, type Piece, type ReadOptions } from "./tar/byte-queue.ts";
import { paddedBytes } from "./tar/header.ts";
import { blockBytes, isHeaderLength } from "./tar/layout.ts";
import { MemberReader } from "./tar/reader.ts";
import type { FrameIndex } from "./zstd/seek-table.ts";

/**
 * The entries that the catalogue's `entries`, in its order, describe. Throws `ArtifactError` `ARTIFACT_CORRUPT` where they do not lie
 * in the tar, one behind another, where the tar has another entry there, and at the end of a content that has another hash.
 */
export async function* pickEntries(
  engine: Engine,
  sealed: SealedReader,
  entries: AsyncIterable<CatalogueEntry> | Iterable<CatalogueEntry>,
  options?: ReadOptions,
): AsyncGenerator<OpenedEntry> {
  const guard = new LinkGuard();
  const steps = sealed.follow(planOf(entries, sealed.index));
  const queue = new ByteQueue({ next: () => nextFrame(steps) }, options);
  const members = new MemberReader(queue);
  try {
    for (let step = await steps.next(); !step.done; step = await steps.next()) {
      if (!("mark" in step.value)) throw new TypeError("a frame was read that belongs to no entry");
      const wanted = step.value.mark;
      await queue.skipTo(wanted.offset);
      const member = await members.next();
      if (!member) throw contradiction(wanted);
      const entry = openedEntry(guard, member);
      if (!isDescribedBy(entry, wanted)) throw contradiction(wanted);
      yield checked(engine, entry, wanted);
      await members.end(member);
    }
  } finally {
    await steps.return(undefined);
  }
}

async function* planOf(
  entries: AsyncIterable<CatalogueEntry> | Iterable<CatalogueEntry>,
  index: FrameIndex,
): AsyncGenerator<Step<CatalogueEntry>> {
  const tarEnd = index.plainBytes - 2 * blockBytes;
  let position = 0;
  let frame = 0;
  for await (const entry of entries) {
    const end = entry.contentOffset + paddedBytes(entry.size);
    const isInside = entry.offset >= position && entry.size >= 0 && end <= tarEnd && Number.isSafeInteger(end);
    if (!isInside || !isHeaderLength(entry.contentOffset - entry.offset)) throw contradiction(entry);
    yield { mark: entry };
    frame = Math.max(frame, index.frameAt(entry.offset));
    for (const last = index.frameAt(end - 1); frame <= last; frame++) yield { frame };
    position = end;
  }
}

/** A mark is followed by the frames of its entry, so that none comes in between. */
async function nextFrame<Mark>(
  steps: AsyncGenerator<{ readonly frame: Piece } | { readonly mark: Mark }>,
): Promise<IteratorResult<Piece, undefined>> {
  const { done, value } = await steps.next();
  if (done || !("frame" in value)) return { done: true, value: undefined };
  return { value: value.frame };
}

/** What is in memory is checked at once, so that none of it comes out where it is wrong; the rest before it ends. */
function checked(engine: Engine, entry: OpenedEntry, wanted: CatalogueEntry): OpenedEntry {
  if (entry.kind !== "file") return entry;
  if (!entry.bytes) return { ...entry, content: hashed(engine, entry.content, wanted) };
  if (engine.sha256(entry.bytes) !== wanted.sha256) throw contradiction(wanted);
  return entry;
}

async function* hashed(
  engine: Engine,
  content: AsyncIterable<Uint8Array>,
  wanted: CatalogueEntry,
): AsyncGenerator<Uint8Array> {
  const hash = engine.startSha256();
  for await (const bytes of content) {
    hash.update(bytes);
    yield bytes;
  }
  if (bytesToHex(hash.digest()) !== wanted.sha256) throw contradiction(wanted);
}

function contradiction({ path, offset }: CatalogueEntry): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", "An entry is not what the catalogue says it is.", {
    path: printablePath(path),
    offset,
  });
}
