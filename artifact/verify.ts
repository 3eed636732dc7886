// Proves that a committed artifact is whole: its bytes by the manifest's hashes, and with a key every entry by the catalogue's.
import { createHash } from "node:crypto";
import { type CatalogueEntry, formatCatalogueLine } from "./catalogue.ts";
import { type ArtifactPlace, openStored, readDocuments } from "./document-reader.ts";
import { printablePath } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";
import type { Manifest, SealedFile } from "./manifest.ts";
import { type OpenedEntry, type OpenOptions, openArtifact } from "./open.ts";
import { partsOf } from "./read-back.ts";
import { Tally } from "./tally.ts";

export interface VerifyOptions extends ArtifactPlace {
  /** With a key everything is decrypted, decompressed and compared with the catalogue as well. */
  readonly identities?: readonly string[];
}

export interface Verification {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
  /** `BYTES`: what is stored is what was sealed. `CONTENTS`: and every entry comes out of it as the catalogue describes it. */
  readonly depth: "BYTES" | "CONTENTS";
}

/**
 * Throws at the first damage: `ArtifactError` `ARTIFACT_CORRUPT`, with the file and where in it as facts. Other codes as
 * `openArtifact`.
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { manifest, manifestSha256 } = await readDocuments(options);
  await verifyBytes(options, manifest.artifact);
  await verifyBytes(options, manifest.catalogue);
  if (!options.identities) return { manifest, manifestSha256, depth: "BYTES" };
  await verifyContents({ ...options, identities: options.identities });
  return { manifest, manifestSha256, depth: "CONTENTS" };
}

async function verifyBytes(place: ArtifactPlace, facts: SealedFile): Promise<void> {
  const file = await openStored(place, facts.name);
  const tally = new Tally();
  try {
    if (file.size !== facts.storedBytes) throw damaged(facts.name, { storedBytes: file.size });
    for await (const part of partsOf(file, place.signal)) tally.update(part);
  } finally {
    await file.close();
  }
  const { sha256, groups } = tally.end();
  const bad = groups.sha256.findIndex((digest, index) => digest !== facts.groups.sha256[index]);
  if (bad !== -1) throw damaged(facts.name, { position: bad * groups.groupBytes, length: groups.groupBytes });
  if (sha256 !== facts.sha256 || JSON.stringify(groups) !== JSON.stringify(facts.groups)) throw damaged(facts.name);
}

async function verifyContents(options: OpenOptions): Promise<void> {
  await using artifact = await openArtifact(options);
  const expected = artifact.catalogue()[Symbol.asyncIterator]();
  try {
    for await (const entry of artifact.entries()) {
      const next = await expected.next();
      if (next.done || lineOf(next.value) !== lineOf(await described(entry)))
        throw new ArtifactError("ARTIFACT_CORRUPT", "An entry is not what the catalogue says it is.", {
          path: printablePath(entry.path),
          offset: entry.offset,
        });
    }
    const left = await expected.next();
    if (!left.done) throw new ArtifactError("ARTIFACT_CORRUPT", "The catalogue names an entry that is not there.");
  } finally {
    await expected.return?.();
  }
}

/** What a catalogue says of the entry; reads its content. */
async function described({ content, ...entry }: OpenedEntry): Promise<CatalogueEntry> {
  if (entry.kind !== "file") return entry;
  const hash = createHash("sha256");
  for await (const bytes of content) hash.update(bytes);
  return { ...entry, sha256: hash.digest("hex") };
}

function lineOf(entry: CatalogueEntry): string {
  return formatCatalogueLine({ kind: "entry", entry });
}

function damaged(file: string, facts: Record<string, number> = {}): ArtifactError {
  const message = `${file} is damaged: its bytes are not those that were sealed.`;
  return new ArtifactError("ARTIFACT_CORRUPT", message, { file, ...facts });
}
