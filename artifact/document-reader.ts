// Reads the documents of a committed artifact and checks them against each other, its place and what the hub remembers of it.
import type { Engine } from "./engine/engine.ts";
import { ArtifactError, StorageError } from "./errors.ts";
import { claimedVersion, fileNames, type Manifest, maxDocumentBytes, metaText, parseManifest } from "./manifest.ts";
import { snapshotDirectory } from "./snapshot-directory.ts";
import type { RangeReader, Storage } from "./storage/storage.ts";

export interface ArtifactPlace {
  readonly storage: Pick<Storage, "open" | "stat">;
  readonly directory: string;
  /** The one that was told when the artifact was sealed: without it, a forged manifest cannot be told from the true one. */
  readonly manifestSha256?: string;
  readonly signal?: AbortSignal;
}

export interface Documents {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Throws `StorageError` `NOT_STORED` where there is no artifact at all, `ArtifactError` where there is one that is not whole. */
export async function readDocuments(engine: Engine, place: ArtifactPlace): Promise<Documents> {
  const manifestBytes = await readDocument(place, fileNames.manifest);
  const manifestSha256 = engine.sha256(manifestBytes);
  if (place.manifestSha256 !== undefined && place.manifestSha256 !== manifestSha256)
    throw damaged(fileNames.manifest, "it is not the one that was sealed");
  const manifestJson = decoder.decode(manifestBytes);
  const metaJson = decoder.decode(await readDocument(place, fileNames.meta));
  if (claimedVersion(manifestJson, fileNames.manifest) !== claimedVersion(metaJson, fileNames.meta))
    throw damaged(fileNames.meta, "it has another version than the manifest");
  const manifest = parseManifest(manifestJson);
  if (metaJson !== metaText(manifest, manifestSha256)) throw damaged(fileNames.meta, "it belongs to another manifest");
  if (snapshotDirectory(manifest.ids) !== place.directory)
    throw damaged(fileNames.manifest, "it belongs to another snapshot");
  return { manifest, manifestSha256 };
}

/** A file of the artifact. One that is missing from an artifact whose other files are there is damage. */
export async function openStored({ storage, directory }: ArtifactPlace, name: string): Promise<RangeReader> {
  try {
    return await storage.open(directory, name);
  } catch (error) {
    if (!(error instanceof StorageError && error.code === "NOT_STORED")) throw error;
    for (const other of Object.values(fileNames))
      if (await storage.stat(directory, other)) throw damaged(name, "it is missing", error);
    throw error;
  }
}

/** The bytes of one of the documents. */
export async function readDocument(place: ArtifactPlace, name: string): Promise<Uint8Array> {
  const file = await openStored(place, name);
  try {
    if (file.size > maxDocumentBytes) throw damaged(name, "it is too long");
    return await file.read(0, file.size, place.signal);
  } finally {
    await file.close();
  }
}

function damaged(file: string, reason: string, cause?: unknown): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `${file} is damaged: ${reason}.`, { file }, { cause });
}
