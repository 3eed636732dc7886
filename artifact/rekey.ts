// Gives an artifact other recipients: a new header in front of the same sealed bytes, and documents that fit.
import { hash } from "node:crypto";
import { recipientFacts, resealHeader } from "./age/header.ts";
import { openHeader } from "./age/header-opening.ts";
import { openStored, readDocuments } from "./document-reader.ts";
import { storeDocuments } from "./document-writer.ts";
import { nativeEngine } from "./engine/native-engine.ts";
import { ArtifactError } from "./errors.ts";
import { fileNames, type Manifest, type SealedFile } from "./manifest.ts";
import { checkReadBack, readBack } from "./read-back.ts";
import { partsOf } from "./storage/file-parts.ts";
import type { Draft, Storage } from "./storage/storage.ts";
import { StoredCheck } from "./stored-check.ts";
import { Tally } from "./tally.ts";

export interface RekeyOptions {
  readonly storage: Storage;
  readonly directory: string;
  /** age identities; the first that opens it now. */
  readonly identities: readonly string[];
  /** age recipients that it is to open for as well. */
  readonly recipients: readonly string[];
  /** Whether those that can open it now still can afterwards. */
  readonly keep: boolean;
  /** Keeps the drafts of two attempts apart; an id. */
  readonly attempt: string;
  readonly signal: AbortSignal;
  readonly manifestSha256?: string;
  /** Called with the bytes read so far and with how many there are. */
  readonly onProgress?: (bytes: number, total: number) => void;
}

export interface Rekeyed {
  readonly manifest: Manifest;
  readonly manifestSha256: string;
}

/**
 * Writes a new artifact beside the old one, reads it back and puts it in its place. The contents are not touched: whoever kept the
 * old files and an old key can open those for ever. Throws as `openArtifact` does, `ARTIFACT_CORRUPT` also where stored bytes are not
 * those of the manifest; the artifact is then as it was.
 */
export async function rekey(options: RekeyOptions): Promise<Rekeyed> {
  const { storage, directory, attempt, signal } = options;
  const { manifest } = await readDocuments(nativeEngine, options);
  const draft = await storage.begin(directory, attempt);
  try {
    const total = manifest.artifact.storedBytes + manifest.catalogue.storedBytes;
    let read = 0;
    const advance = (bytes: number) => {
      read += bytes;
      options.onProgress?.(read, total);
    };
    const reseal = (facts: SealedFile) => resealFile(facts, { ...options, draft, advance });
    const artifact = await reseal(manifest.artifact);
    const catalogue = await reseal(manifest.catalogue);
    const rekeyed: Manifest = {
      ...manifest,
      recipients: recipientsOf(manifest, options),
      artifact: { ...artifact, name: fileNames.artifact },
      catalogue: { ...catalogue, name: fileNames.catalogue },
    };
    const { manifestSha256, files } = await storeDocuments(draft, rekeyed);
    for (const file of files) await checkReadBack(draft, file, signal);
    signal.throwIfAborted();
    await draft.replace();
    return { manifest: rekeyed, manifestSha256 };
  } catch (error) {
    await draft.abort().catch(() => {});
    throw error;
  }
}

interface Resealing extends RekeyOptions {
  readonly draft: Draft;
  readonly advance: (bytes: number) => void;
}

async function resealFile(facts: SealedFile, options: Resealing): Promise<SealedFile> {
  const { draft, identities, signal, advance } = options;
  const file = await openStored(options, facts.name);
  try {
    const head = await file.read(0, Math.min(facts.headerBytes, file.size), signal);
    if (hash("sha256", head) !== facts.headerSha256) throw damaged(facts);
    const fileKey = await openHeader(head, identities);
    const header = await resealHeader({ header: head, fileKey }, options);

    const upload = await draft.create(facts.name);
    // Whatever is wrong with it would be vouched for by new hashes.
    const before = new StoredCheck(nativeEngine, facts);
    const after = new Tally();
    let read = 0;
    const send = async (part: Uint8Array) => {
      after.update(part);
      await upload.send(part);
    };
    await send(header);
    for await (const part of partsOf(file, signal)) {
      before.update(part);
      const body = part.subarray(Math.min(part.length, Math.max(0, head.length - read)));
      read += part.length;
      if (body.length > 0) await send(body);
      advance(part.length);
    }
    before.end();
    await upload.finish();
    const written = after.end();
    const { storedBytes, groups } = written;
    const sha256 = await readBack(draft, facts.name, written, signal);
    return { ...facts, storedBytes, headerBytes: header.length, headerSha256: hash("sha256", header), sha256, groups };
  } finally {
    await file.close();
  }
}

function recipientsOf({ recipients }: Manifest, { keep, recipients: added }: RekeyOptions): Manifest["recipients"] {
  const all = [...(keep ? recipients : []), ...added.map(recipientFacts)];
  return [...new Map(all.map((facts) => [facts.fingerprint, facts])).values()];
}

function damaged({ name }: SealedFile): ArtifactError {
  const message = `${name} is damaged: its bytes are not those that were sealed.`;
  return new ArtifactError("ARTIFACT_CORRUPT", message, { file: name });
}
