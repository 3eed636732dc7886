// Opens a committed artifact with a key and gives back its tar, its entries and its catalogue; nothing comes out unverified.
import type { CatalogueEntry } from "./catalogue.ts";
import { readCatalogue } from "./catalogue-reader.ts";
import { CatalogueSelection } from "./catalogue-selection.ts";
import { type ArtifactPlace, openStored, readDocuments } from "./document-reader.ts";
import type { Engine } from "./engine/engine.ts";
import type { EntryPath, Warning } from "./entry.ts";
import type { Manifest, SealedFile } from "./manifest.ts";
import { entriesOf } from "./opened-entries.ts";
import type { OpenedEntry } from "./opened-entry.ts";
import { pickEntries } from "./pick.ts";
import { SealedReader } from "./sealed-reader.ts";
import type { Piece, ReadOptions } from "./tar/byte-queue.ts";

export interface OpenOptions extends ArtifactPlace {
  /** age identities, `AGE-SECRET-KEY-…`; the first that fits is taken. */
  readonly identities: readonly string[];
}

/**
 * Everything streams, may be read again, and may be given up at any point. Iterating throws `ArtifactError`: `ARTIFACT_CORRUPT`,
 * `LIMIT_EXCEEDED` where more comes out than the manifest says, `ENTRY_REFUSED` for a name or a kind that is never restored.
 */
export interface OpenedArtifact extends AsyncDisposable {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
  /** The whole tar stream, for programs that unpack it themselves. Its entries are not looked at. */
  tar(): AsyncIterable<Uint8Array>;
  entries(options?: ReadOptions): AsyncIterable<OpenedEntry>;
  catalogue(): AsyncIterable<CatalogueEntry>;
  /** What was noted while it was sealed, from the catalogue. */
  warnings(): AsyncIterable<Warning>;
  /** The entries of these names and everything below them, in the catalogue's order. `.` stands for the whole tree. */
  find(paths: Iterable<EntryPath>): AsyncIterable<CatalogueEntry>;
  /** The content of one entry of the catalogue, by reading the frames that hold it and no others. */
  pick(entry: CatalogueEntry): AsyncIterable<Uint8Array>;
  /** The same for several, as `find` and `catalogue` give them: in the catalogue's order, each frame read once. */
  pickAll(
    entries: AsyncIterable<CatalogueEntry> | Iterable<CatalogueEntry>,
    options?: ReadOptions,
  ): AsyncIterable<OpenedEntry>;
  /** May be called twice. */
  close(): Promise<void>;
}

/**
 * Throws `StorageError` `NOT_STORED` where there is no artifact, and `ArtifactError`: `KEY_UNAVAILABLE` where no identity fits,
 * `ARTIFACT_CORRUPT` where stored bytes are not those that were sealed, `UNSUPPORTED_VERSION`.
 */
export async function openWith(engine: Engine, options: OpenOptions): Promise<OpenedArtifact> {
  const { manifest, manifestSha256 } = await readDocuments(engine, options);
  const openSealed = async (facts: SealedFile) =>
    SealedReader.open(engine, await openStored(options, facts.name), facts, options);
  const artifact = await openSealed(manifest.artifact);
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= artifact.close();
    return closed;
  };

  async function* lines(selection?: CatalogueSelection) {
    const catalogue = await openSealed(manifest.catalogue);
    try {
      yield* readCatalogue(catalogue.frames(), manifest, selection);
    } finally {
      await catalogue.close();
    }
  }
  async function* catalogueEntries(selection?: CatalogueSelection) {
    for await (const line of lines(selection)) if (line.kind === "entry") yield line.entry;
  }

  return {
    manifest,
    manifestSha256,
    tar: () => bytesOf(artifact.frames()),
    entries: (read) => entriesOf(artifact.frames(), manifest, read),
    catalogue: () => catalogueEntries(),
    async *warnings() {
      for await (const line of lines()) if (line.kind === "warning") yield line.warning;
    },
    find: (paths) => catalogueEntries(new CatalogueSelection(paths)),
    async *pick(entry) {
      for await (const { content } of pickEntries(engine, artifact, [entry])) yield* content;
    },
    pickAll: (entries, read) => pickEntries(engine, artifact, entries, read),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function* bytesOf(pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of pieces) yield bytes;
}
