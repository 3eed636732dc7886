// manifest.json and meta.json: what anybody may know of a sealed artifact, and the hashes that everything else is checked against.
import * as z from "zod";
import { ArtifactError } from "./errors.ts";
import { idPattern, type SnapshotIds } from "./snapshot-directory.ts";

export const formatName = "xvault-artifact";
export const formatVersion = 1;

export const fileNames = {
  artifact: "backup.tar.zst.enc",
  catalogue: "catalogue.zst.enc",
  manifest: "manifest.json",
  meta: "meta.json",
} as const;

/** A writer keeps both far below; a reader reads no more. */
export const maxDocumentBytes = 1_048_576;

/** Stored bytes that are hashed for themselves. */
export const pieceBytes = 16_777_216;
/** Groups of pieces in a manifest: past that they double in size, so that it stays small whatever the artifact. */
export const maxGroups = 1024;

const id = z.string().regex(idPattern);
const count = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const version = { format: z.literal(formatName), version: z.literal(formatVersion) };
const snapshotIds = z.object({ tenantId: id, sourceId: id, snapshotId: id });
const ids = snapshotIds.extend({ jobId: id, workerId: id });

const sealedFile = z.object({
  name: z.string(),
  /** Of the stream inside: the tar, or the catalogue's lines. */
  plainBytes: count,
  storedBytes: count,
  frames: count,
  /** The age header, up to and including the end of its last line. */
  headerBytes: count,
  headerSha256: digest,
  sha256: digest,
  /** A group's digest is the SHA-256 of its pieces' SHA-256 digests, one after another. */
  groups: z.object({ pieceBytes: count.min(1), groupBytes: count.min(1), sha256: z.array(digest) }),
});

const manifest = z.object({
  ...version,
  ids,
  createdAt: z.iso.datetime(),
  durationMs: count,
  /** Some entries are missing or incomplete: the catalogue's warnings name them. */
  partial: z.boolean(),
  /** Bytes of all contents. */
  plainBytes: count,
  counts: z.object({ files: count, directories: count, symlinks: count, hardlinks: count }),
  algorithm: z.object({ archive: z.string(), compression: z.string(), encryption: z.string() }),
  recipients: z
    .array(z.object({ algorithm: z.string(), fingerprint: z.string().regex(/^sha256:[0-9a-f]{64}$/) }))
    .min(1),
  tools: z.record(z.string(), z.string()),
  /** Of a snapshot with database dumps in it: what they held when they were made. */
  databases: z
    .array(
      z.object({
        /** The dump's entry. */
        path: z.string(),
        tables: z.array(z.object({ name: z.string(), rows: count, estimated: z.boolean() })),
      }),
    )
    .optional(),
  /** How many warnings of each code. */
  warnings: z.record(z.string(), count),
  artifact: sealedFile.extend({ name: z.literal(fileNames.artifact) }),
  catalogue: sealedFile.extend({ name: z.literal(fileNames.catalogue) }),
});

export type Manifest = z.infer<typeof manifest>;
export type SealedFile = z.infer<typeof sealedFile>;

/**
 * A manifest given as text or as a parsed value. Fields that version 1 does not know are dropped. Throws `ArtifactError`:
 * `UNSUPPORTED_VERSION` for another version, `ARTIFACT_CORRUPT` for anything that is no manifest.
 */
export function parseManifest(json: unknown): Manifest {
  const value = typeof json === "string" ? parseJson(json, fileNames.manifest) : json;
  const version = versionOf(value, fileNames.manifest);
  if (version !== formatVersion)
    throw new ArtifactError(
      "UNSUPPORTED_VERSION",
      `This backup has version ${version} of the format; version ${formatVersion} is read here.`,
      { version, newestVersion: formatVersion },
    );
  const parsed = manifest.safeParse(value);
  if (!parsed.success) throw damagedDocument(fileNames.manifest, parsed.error);
  return parsed.data;
}

/** manifest.json, byte for byte. */
export function manifestText(manifest: Manifest): string {
  return documentText(manifest);
}

/** meta.json, byte for byte: there is exactly one for a manifest. */
export function metaText({ format, version, ids }: Manifest, manifestSha256: string): string {
  return documentText({ format, version, ids, manifestSha256 });
}

/** The version that a manifest.json or meta.json claims to have. Throws `ArtifactError` `ARTIFACT_CORRUPT` where it claims none. */
export function claimedVersion(text: string, file: string): number {
  return versionOf(parseJson(text, file), file);
}

/** Whose snapshot a manifest.json or meta.json claims to be of, whatever its version. Throws as `claimedVersion` does. */
export function claimedIds(text: string, file: string): SnapshotIds {
  const claimed = z.looseObject({ ids: snapshotIds }).safeParse(parseJson(text, file));
  if (!claimed.success) throw damagedDocument(file, claimed.error);
  return claimed.data.ids;
}

function versionOf(value: unknown, file: string): number {
  const claimed = z.looseObject({ format: z.literal(formatName), version: z.int() }).safeParse(value);
  if (!claimed.success) throw damagedDocument(file, claimed.error);
  return claimed.data.version;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damagedDocument(file, cause);
  }
}

function documentText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

function damagedDocument(file: string, cause: unknown): ArtifactError {
  return new ArtifactError("ARTIFACT_CORRUPT", `${file} is damaged.`, { file }, { cause });
}
