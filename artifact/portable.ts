// The door for everybody, browsers too: opening, listing, verifying and extracting. Nothing behind it imports a module of Node.
export type { CatalogueEntry } from "./catalogue.ts";
export type { ArtifactPlace } from "./document-reader.ts";
export type { Entry, EntryPath, Warning } from "./entry.ts";
export { printablePath } from "./entry-path.ts";
export { ArtifactError, EntryInterruptedError, StorageError } from "./errors.ts";
export { looseArtifact } from "./loose-artifact.ts";
export { fileNames, type Manifest, parseManifest } from "./manifest.ts";
export type { OpenedArtifact, OpenOptions } from "./open.ts";
export type { OpenedEntry } from "./opened-entry.ts";
export { type ArtifactIds, type SnapshotIds, snapshotDirectory } from "./snapshot-directory.ts";
export type { Draft, RangeReader, Storage, Upload } from "./storage/storage.ts";
export type { Verification, VerifyOptions } from "./verify.ts";
export { blobReader } from "./web/blob-reader.ts";
export { type HttpReaderOptions, httpReader } from "./web/http-reader.ts";
export { openArtifact, type StreamedArtifact, type StreamedEntry, verify } from "./web/read.ts";
