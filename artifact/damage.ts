// Tells what is wrong with a stored artifact from what is wrong with the way to it.
import type { ArtifactPlace } from "./document-reader.ts";
import { ArtifactError, StorageError } from "./errors.ts";
import { fileNames } from "./manifest.ts";

export interface Damage {
  /** Nothing of the artifact is there. */
  readonly missing: boolean;
  /** In a sentence that names nothing of what is in the artifact. */
  readonly sentence: string;
}

/** What an error of `verify` says against the artifact; null where it says nothing against it. Throws what the storage throws. */
export async function damageOf(
  error: unknown,
  { storage, directory }: Pick<ArtifactPlace, "storage" | "directory">,
): Promise<Damage | null> {
  if (error instanceof ArtifactError && (error.code === "ARTIFACT_CORRUPT" || error.code === "ENTRY_REFUSED"))
    return { missing: false, sentence: placed(error) };
  // More comes out of it than its manifest says.
  if (error instanceof ArtifactError && error.code === "LIMIT_EXCEEDED")
    return { missing: false, sentence: error.message };
  if (!(error instanceof StorageError && error.code === "NOT_STORED")) return null;
  for (const name of Object.values(fileNames))
    if (await storage.stat(directory, name))
      return { missing: false, sentence: "A stored file of it ended while it was read." };
  return { missing: true, sentence: "Nothing of it is where it should lie." };
}

function placed({ message, facts }: ArtifactError): string {
  return typeof facts.position === "number" ? `${message} (from byte ${facts.position})` : message;
}
