// The door for everybody, browsers too: types, errors, names and documents. Nothing behind it imports a module of Node.
export type { CatalogueEntry } from "./catalogue.ts";
export type { Entry, EntryPath, Warning } from "./entry.ts";
export { printablePath } from "./entry-path.ts";
export { ArtifactError, EntryInterruptedError, StorageError } from "./errors.ts";
export { fileNames, type Manifest, parseManifest } from "./manifest.ts";
export { type ArtifactIds, type SnapshotIds, snapshotDirectory } from "./snapshot-directory.ts";
export type { Draft, RangeReader, Storage, Upload } from "./storage/storage.ts";
