// Proves that a committed artifact is whole: its bytes by the manifest's hashes, and with a key every entry by the catalogue's.
import { bytesToHex } from "@noble/hashes/utils.js";
import { type ArtifactPlace, openStored, readDocuments } from "./document-reader.ts";
import type { Engine } from "./engine/engine.ts";
import { printablePath } from "./entry-path.ts";
import { ArtifactError } from "./errors.ts";
import type { Manifest, SealedFile } from "./manifest.ts";
import { type OpenOptions, openWith } from "./open.ts";
import { isDescribedBy, type OpenedEntry } from "./opened-entry.ts";
import { partsOf } from "./storage/file-parts.ts";
import { StoredCheck } from "./stored-check.ts";

export interface VerifyOptions extends ArtifactPlace {
  /** With a key everything is decrypted, decompressed and compared with the catalogue as well. */
  readonly identities?: readonly string[];
  /** Called with the bytes looked at so far and with how many there are, stored ones first. */
  readonly onProgress?: (bytes: number, total: number) => void;
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
export async function verifyWith(engine: Engine, options: VerifyOptions): Promise<Verification> {
  const { manifest, manifestSha256 } = await readDocuments(engine, options);
  const { identities, onProgress } = options;
  const storedBytes = manifest.artifact.storedBytes + manifest.catalogue.storedBytes;
  const total = storedBytes + (identities ? manifest.plainBytes : 0);
  let done = 0;
  const advance = (bytes: number) => {
    done += bytes;
    onProgress?.(done, total);
  };
  if (identities) await refuseWrongKey(engine, { ...options, identities });
  await verifyBytes(engine, { ...options, facts: manifest.artifact, advance });
  await verifyBytes(engine, { ...options, facts: manifest.catalogue, advance });
  if (!identities) return { manifest, manifestSha256, depth: "BYTES" };
  await verifyContents(engine, { ...options, identities, advance });
  return { manifest, manifestSha256, depth: "CONTENTS" };
}

/** Before everything is read. What else is wrong is told by what follows, and with its place. */
async function refuseWrongKey(engine: Engine, options: OpenOptions): Promise<void> {
  try {
    const artifact = await openWith(engine, options);
    await artifact.close();
  } catch (error) {
    if (error instanceof ArtifactError && error.code === "KEY_UNAVAILABLE") throw error;
  }
}

interface Advancing {
  readonly advance: (bytes: number) => void;
}

async function verifyBytes(
  engine: Engine,
  { facts, advance, ...place }: ArtifactPlace & Advancing & { readonly facts: SealedFile },
): Promise<void> {
  const file = await openStored(place, facts.name);
  try {
    if (file.size !== facts.storedBytes)
      throw new ArtifactError("ARTIFACT_CORRUPT", `${facts.name} is damaged: it has another length.`, {
        file: facts.name,
        storedBytes: file.size,
      });
    const check = new StoredCheck(engine, facts);
    for await (const part of partsOf(file, place.signal)) {
      check.update(part);
      advance(part.length);
    }
    check.end();
  } finally {
    await file.close();
  }
}

async function verifyContents(engine: Engine, { advance, ...options }: OpenOptions & Advancing): Promise<void> {
  await using artifact = await openWith(engine, options);
  const described = artifact.catalogue()[Symbol.asyncIterator]();
  try {
    for await (const entry of artifact.entries({ transient: true })) {
      const { done, value } = await described.next();
      if (done || !isDescribedBy(entry, value) || (await contentSha256(engine, entry)) !== value.sha256)
        throw new ArtifactError("ARTIFACT_CORRUPT", "An entry is not what the catalogue says it is.", {
          path: printablePath(entry.path),
          offset: entry.offset,
        });
      advance(entry.size);
    }
    const left = await described.next();
    if (!left.done) throw new ArtifactError("ARTIFACT_CORRUPT", "The catalogue names an entry that is not there.");
  } finally {
    await described.return?.();
  }
}

async function contentSha256(engine: Engine, { kind, bytes, content }: OpenedEntry): Promise<string | undefined> {
  if (kind !== "file") return undefined;
  if (bytes) return engine.sha256(bytes);
  const hash = engine.startSha256();
  for await (const piece of content) hash.update(piece);
  return bytesToHex(hash.digest());
}
