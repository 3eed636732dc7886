// Writes what stands beside the sealed files in clear: the manifest, and the meta file that vouches for it.
import { hash } from "node:crypto";
import { recipientFacts } from "./age/header.ts";
import type { Warning } from "./entry.ts";
import {
  fileNames,
  formatName,
  formatVersion,
  type Manifest,
  manifestText,
  metaText,
  parseManifest,
  type SealedFile,
} from "./manifest.ts";
import type { ArtifactIds } from "./snapshot-directory.ts";
import type { Draft } from "./storage/storage.ts";

export interface ArtifactFacts {
  readonly ids: ArtifactIds;
  readonly createdAt: Date;
  readonly durationMs: number;
  readonly recipients: readonly string[];
  readonly tools: Readonly<Record<string, string>>;
  readonly databases: NonNullable<Manifest["databases"]>;
  readonly warnings: readonly Warning[];
  readonly plainBytes: number;
  readonly counts: Manifest["counts"];
  readonly artifact: SealedFile;
  readonly catalogue: SealedFile;
}

/** By design: every other warning means that something is missing. */
const harmless: ReadonlySet<Warning["code"]> = new Set(["SPECIAL_SKIPPED", "HOOK_FAILED"]);

/** Warnings name files, so only their numbers are told in clear. */
export function describeArtifact(facts: ArtifactFacts): Manifest {
  const { warnings } = facts;
  const byCode: Record<string, number> = {};
  for (const { code } of warnings) byCode[code] = (byCode[code] ?? 0) + 1;
  return parseManifest({
    format: formatName,
    version: formatVersion,
    ids: facts.ids,
    createdAt: facts.createdAt.toISOString(),
    durationMs: facts.durationMs,
    partial: warnings.some(({ code }) => !harmless.has(code)),
    plainBytes: facts.plainBytes,
    counts: facts.counts,
    algorithm: { archive: "tar/pax", compression: "zstd", encryption: "age-encryption.org/v1" },
    recipients: facts.recipients.map(recipientFacts),
    tools: { node: process.versions.node, zstd: process.versions.zstd ?? "unknown", ...facts.tools },
    ...(facts.databases.length > 0 && { databases: facts.databases }),
    warnings: byCode,
    artifact: facts.artifact,
    catalogue: facts.catalogue,
  });
}

export interface StoredDocuments {
  readonly manifestSha256: string;
  readonly bytes: number;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

export async function storeDocuments(draft: Draft, manifest: Manifest): Promise<StoredDocuments> {
  const manifestJson = manifestText(manifest);
  const manifestSha256 = hash("sha256", manifestJson);
  const texts = [
    { name: fileNames.manifest, text: manifestJson },
    { name: fileNames.meta, text: metaText(manifest, manifestSha256) },
  ];
  let bytes = 0;
  for (const { name, text } of texts) {
    const upload = await draft.create(name);
    const encoded = Buffer.from(text);
    await upload.send(encoded);
    await upload.finish();
    bytes += encoded.length;
  }
  return { manifestSha256, bytes, files: texts.map(({ name, text }) => ({ name, sha256: hash("sha256", text) })) };
}
