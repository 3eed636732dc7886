// Opens a committed artifact with a key and gives back its tar, its entries and its catalogue; nothing comes out unverified.
import type { CatalogueEntry } from "./catalogue.ts";
import { readCatalogue } from "./catalogue-reader.ts";
import { type ArtifactPlace, openStored, readDocuments } from "./document-reader.ts";
import type { Entry, Warning } from "./entry.ts";
import { pathFromBytes, printablePath } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";
import { LinkGuard } from "./link-guard.ts";
import type { Manifest, SealedFile } from "./manifest.ts";
import { SealedReader } from "./sealed-reader.ts";
import { readTar } from "./tar/reader.ts";

export interface OpenOptions extends ArtifactPlace {
  /** age identities, `AGE-SECRET-KEY-…`; the first that fits is taken. */
  readonly identities: readonly string[];
}

export interface OpenedEntry extends Entry {
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  /** Where its header starts in the tar stream. */
  readonly offset: number;
  /** Where its content starts in the tar stream. */
  readonly contentOffset: number;
  /** To be read before the next entry is asked for, which skips what is left of it. Empty for everything but files. */
  readonly content: AsyncIterable<Uint8Array>;
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
  entries(): AsyncIterable<OpenedEntry>;
  catalogue(): AsyncIterable<CatalogueEntry>;
  /** What was noted while it was sealed, from the catalogue. */
  warnings(): AsyncIterable<Warning>;
  /** May be called twice. */
  close(): Promise<void>;
}

/**
 * Throws `StorageError` `NOT_STORED` where there is no artifact, and `ArtifactError`: `KEY_UNAVAILABLE` where no identity fits,
 * `ARTIFACT_CORRUPT` where stored bytes are not those that were sealed, `UNSUPPORTED_VERSION`.
 */
export async function openArtifact(options: OpenOptions): Promise<OpenedArtifact> {
  const { manifest, manifestSha256 } = await readDocuments(options);
  const openSealed = async (facts: SealedFile) =>
    SealedReader.open(await openStored(options, facts.name), facts, options.identities, options.signal);
  const artifact = await openSealed(manifest.artifact);
  let closed: Promise<void> | null = null;
  const close = () => {
    closed ??= artifact.close();
    return closed;
  };

  async function* lines() {
    const catalogue = await openSealed(manifest.catalogue);
    try {
      yield* readCatalogue(catalogue.frames(), manifest);
    } finally {
      await catalogue.close();
    }
  }

  return {
    manifest,
    manifestSha256,
    tar: () => artifact.frames(),
    entries: () => entriesOf(artifact.frames(), manifest),
    async *catalogue() {
      for await (const line of lines()) if (line.kind === "entry") yield line.entry;
    },
    async *warnings() {
      for await (const line of lines()) if (line.kind === "warning") yield line.warning;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function* entriesOf(tar: AsyncIterable<Uint8Array>, manifest: Manifest): AsyncGenerator<OpenedEntry> {
  const guard = new LinkGuard();
  const { files, directories, symlinks, hardlinks } = manifest.counts;
  let entriesLeft = files + directories + symlinks + hardlinks;
  let bytesLeft = manifest.plainBytes;
  for await (const { name, linkName, ...member } of readTar(tar)) {
    const refusal = guard.admit({ kind: member.kind, name, linkName });
    const path = pathFromBytes(name);
    if (refusal !== null)
      throw new ArtifactError("ENTRY_REFUSED", `The backup holds an entry that is not restored: its name ${refusal}.`, {
        path: printablePath(path),
        offset: member.offset,
      });
    entriesLeft -= 1;
    bytesLeft -= member.size;
    if (entriesLeft < 0 || bytesLeft < 0)
      throw new ArtifactError("LIMIT_EXCEEDED", "More is in the backup than its manifest says.");
    yield { ...member, path, ...(linkName === null ? {} : { linkTarget: pathFromBytes(linkName) }) };
  }
  if (entriesLeft > 0 || bytesLeft > 0)
    throw new ArtifactError("ARTIFACT_CORRUPT", "Less is in the backup than its manifest says.");
}
