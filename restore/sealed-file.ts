// The stored bytes of a snapshot as they are, for whoever holds the key: nothing here opens them.
import { createHash } from "node:crypto";
import { ArtifactError, type ArtifactPlace, fileNames, partsOf, readManifest } from "#artifact/node";

/**
 * The sealed file and its length. Throws `ArtifactError`, at the latest after the last byte, where it is not the one that was sealed:
 * nothing of it is to be handed out before it has ended.
 */
export async function openSealed(place: ArtifactPlace): Promise<{ size: number; bytes: AsyncIterable<Uint8Array> }> {
  const { manifest } = await readManifest(place);
  const { storedBytes: size, sha256 } = manifest.artifact;
  async function* bytes() {
    const hash = createHash("sha256");
    const file = await place.storage.open(place.directory, fileNames.artifact);
    try {
      for await (const part of partsOf(file, place.signal)) {
        hash.update(part);
        yield part;
      }
    } finally {
      await file.close();
    }
    if (hash.digest("hex") !== sha256)
      throw new ArtifactError("ARTIFACT_CORRUPT", `${fileNames.artifact} is not the one that was sealed`);
  }
  return { size, bytes: bytes() };
}
