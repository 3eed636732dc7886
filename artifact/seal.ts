// Seals what a source hands over into one artifact and commits it: all of it is stored, read back and durable, or nothing is.
import { tmpdir } from "node:os";
import { faultPoint } from "#fault-point";
import { AbortGate } from "./abort-gate.ts";
import { CatalogueWriter } from "./catalogue-writer.ts";
import { type ArtifactFacts, describeArtifact, storeDocuments } from "./document-writer.ts";
import type { Entry, Warning } from "./entry.ts";
import { fileNames, type Manifest } from "./manifest.ts";
import { Packer, packAll } from "./pack.ts";
import { checkReadBack, readBack } from "./read-back.ts";
import { openSealedWriter, type SealedBytes } from "./sealed-writer.ts";
import { type ArtifactIds, checkIds, snapshotDirectory } from "./snapshot-directory.ts";
import { openSpool } from "./spool.ts";
import type { Draft, Storage } from "./storage/storage.ts";
import { StoredBytes } from "./stored-bytes.ts";

export interface SealOptions {
  /** Read once, in order. Whatever it throws ends the artifact and is thrown on as it is. */
  readonly entries: AsyncIterable<Entry>;
  /** age recipients, `age1…` or `age1pq1…`; at least one. */
  readonly recipients: readonly string[];
  readonly ids: ArtifactIds;
  readonly storage: Storage;
  /** Keeps the drafts of two attempts apart; an id. */
  readonly attempt: string;
  /** An abort ends everything at once and is thrown as the signal's reason. */
  readonly signal: AbortSignal;
  readonly createdAt: Date;
  /** Names and versions of the tools that took part, for the manifest. */
  readonly tools?: Record<string, string>;
  /** What the source tells of itself for the manifest; asked once its entries have been read. */
  readonly sourceFacts?: () => Pick<ArtifactFacts, "tools" | "databases">;
  /** Of zstd: 1 is fastest, 19 smallest. @default 3 */
  readonly level?: number;
  /** Most bytes that the snapshot may take in the storage. @default no limit */
  readonly maxBytes?: number;
  /** The source adds its own while it walks, the writer adds its own to the same list. */
  readonly warnings?: Warning[];
  /** Where contents of unknown length wait, sealed and without a name. @default the system's directory for temporary files */
  readonly spoolDirectory?: string;
  /** Called ten times a second at most. */
  readonly onProgress?: (progress: SealProgress) => void;
  /** Awaited once, when the last entry is packed; what follows is storing, reading back and committing. */
  readonly onFinalizing?: () => Promise<void>;
  /** Awaited once, when everything is stored and read back: the last chance to throw before anybody can see it. */
  readonly onCommitting?: () => Promise<void>;
}

export interface SealProgress {
  /** Content read so far. */
  readonly plainBytes: number;
  /** Sealed and handed to the storage so far. */
  readonly storedBytes: number;
  readonly fileCount: number;
}

export interface SealedArtifact {
  readonly manifest: Manifest;
  /** Of manifest.json as it is stored. */
  readonly manifestSha256: string;
  readonly artifactSha256: string;
  /** Bytes of all contents. */
  readonly plainBytes: number;
  /** Bytes of everything stored: artifact, catalogue, manifest, meta. */
  readonly storedBytes: number;
  /** Regular files; the other kinds are counted in the manifest. */
  readonly fileCount: number;
  readonly durationMs: number;
  /** Some entries are missing or incomplete. */
  readonly partial: boolean;
  readonly warnings: Warning[];
}

const frameBytes = 4_194_304;
const catalogueFrameBytes = 1_048_576;
const progressIntervalMs = 100;

/**
 * Throws `ArtifactError` (`KEY_UNAVAILABLE` for a recipient that is none, `LIMIT_EXCEEDED` past `maxBytes`), `StorageError`, the
 * signal's reason, or what the source threw. Nothing is left in the storage then.
 */
export async function seal(options: SealOptions): Promise<SealedArtifact> {
  options.signal.throwIfAborted();
  checkIds(options.ids.jobId, options.ids.workerId);
  const stop = new AbortController();
  using gate = new AbortGate(AbortSignal.any([options.signal, stop.signal]));
  const beginning = options.storage.begin(snapshotDirectory(options.ids), options.attempt);
  const draft = await gate.pass(beginning).catch((error: unknown) => {
    // It may begin all the same, and nobody would end it.
    beginning.then((late) => late.abort()).catch(() => {});
    throw error;
  });
  try {
    faultPoint("backup.draft-begun");
    const sealed = await sealInto(draft, { ...options, gate, fail: (error) => stop.abort(error) });
    options.signal.throwIfAborted();
    if (options.onCommitting) await gate.pass(options.onCommitting());
    await draft.commit();
    faultPoint("backup.committed");
    return sealed;
  } catch (error) {
    // What cannot be removed now is swept later: the first failure is the one to tell.
    await draft.abort().catch(() => {});
    throw error;
  }
}

interface SealInto extends SealOptions {
  readonly gate: AbortGate;
  readonly fail: (error: unknown) => void;
}

async function sealInto(draft: Draft, options: SealInto): Promise<SealedArtifact> {
  const { ids, gate, fail, level = 3, warnings = [], spoolDirectory = tmpdir() } = options;
  const startedAt = performance.now();
  const recipients = [...new Set(options.recipients)];
  const stored = new StoredBytes(options.maxBytes);
  const create = async (name: string, size: number) =>
    openSealedWriter({ upload: await draft.create(name), recipients, frameBytes: size, level, fail, stored });
  using tar = await gate.pass(create(fileNames.artifact, frameBytes));
  using lines = await gate.pass(create(fileNames.catalogue, catalogueFrameBytes));
  const catalogue = new CatalogueWriter(lines.frames);
  await catalogue.note({ kind: "header", ids });

  const packer: Packer = new Packer({
    tar: tar.frames,
    note: (line) => catalogue.note(line),
    warnings,
    gate,
    openSpool: () => openSpool({ directory: spoolDirectory, frameBytes, level, fail, stored }),
    onAdvance: atIntervals(progressIntervalMs, () =>
      options.onProgress?.({
        plainBytes: packer.contentBytes,
        storedBytes: stored.bytes,
        fileCount: packer.counts.files,
      }),
    ),
  });
  await packAll(options.entries, packer, gate);
  if (options.onFinalizing) await gate.pass(options.onFinalizing());

  const sealed = await gate.pass(tar.end());
  faultPoint("backup.artifact-stored");
  await gate.pass(catalogue.end(warnings));
  const listed = await gate.pass(lines.end());
  faultPoint("backup.catalogue-stored");
  const checked = async <Name extends string>(name: Name, { checksums, ...file }: SealedBytes) => {
    const sha256 = await gate.pass(readBack(draft, name, { ...file, checksums }, options.signal));
    return { name, ...file, sha256 };
  };
  const artifact = await checked(fileNames.artifact, sealed);
  faultPoint("backup.read-back");
  const told = options.sourceFacts?.();
  const manifest = describeArtifact({
    ids,
    createdAt: options.createdAt,
    tools: { ...options.tools, ...told?.tools },
    databases: told?.databases ?? [],
    recipients,
    warnings,
    plainBytes: packer.contentBytes,
    counts: packer.counts,
    durationMs: Math.round(performance.now() - startedAt),
    artifact,
    catalogue: await checked(fileNames.catalogue, listed),
  });
  const documents = await gate.pass(storeDocuments(draft, manifest));
  faultPoint("backup.documents-stored");
  for (const file of documents.files) await gate.pass(checkReadBack(draft, file, options.signal));
  return {
    manifest,
    manifestSha256: documents.manifestSha256,
    artifactSha256: manifest.artifact.sha256,
    plainBytes: manifest.plainBytes,
    storedBytes: stored.bytes + documents.bytes,
    fileCount: manifest.counts.files,
    durationMs: manifest.durationMs,
    partial: manifest.partial,
    warnings,
  };
}

function atIntervals(intervalMs: number, call: () => void): () => void {
  let calledAt = performance.now();
  return () => {
    const now = performance.now();
    if (now - calledAt < intervalMs) return;
    calledAt = now;
    call();
  };
}
