// Finds the file key in the header of an age file, with whichever identity fits.
import { Decrypter } from "age-encryption";
import { ArtifactError } from "../errors.ts";

/** Longest header: every stanza in it costs whoever opens it a curve operation. */
export const maxHeaderBytes = 65_536;

/**
 * The file key of a header that is known to be whole: where no identity fits, it is the keys that are wrong (`KEY_UNAVAILABLE`), and
 * anything else that fails is damage (`ARTIFACT_CORRUPT`).
 */
export async function openHeader(header: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  for (const identity of identities) addIdentity(decrypter, identity);
  decrypter.addIdentity({
    unwrapFileKey: () => {
      throw new ArtifactError("KEY_UNAVAILABLE", "None of the given keys opens this backup.");
    },
  });
  try {
    return await decrypter.decryptHeader(header);
  } catch (cause) {
    if (cause instanceof ArtifactError) throw cause;
    throw new ArtifactError("ARTIFACT_CORRUPT", "The header of the encryption is damaged.", {}, { cause });
  }
}

function addIdentity(decrypter: Decrypter, identity: string): void {
  try {
    decrypter.addIdentity(identity);
  } catch {
    // The cause would quote the key.
    throw new ArtifactError("KEY_UNAVAILABLE", "A given key is not a valid age identity.");
  }
}
