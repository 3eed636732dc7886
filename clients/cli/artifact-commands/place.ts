// Finds an artifact in a directory, whatever that is called and whosever snapshot it is.
import { type ArtifactPlace, localDirectory, looseArtifact } from "#artifact/node";

/** Throws `StorageError` `NOT_STORED` where there is no artifact. */
export function placeOf(directory: string): Promise<ArtifactPlace> {
  const storage = localDirectory(directory);
  return looseArtifact((name) => storage.open("artifact", name));
}
