// The header of an age file: one random file key, wrapped for every recipient.
import { createHash } from "node:crypto";
import { Decrypter, Encrypter } from "age-encryption";
import { ArtifactError } from "../errors.ts";
import { payloadNonceBytes, tagBytes } from "./payload.ts";

/** The two kinds of recipients of version 1, by the start of their text: the plain one is a prefix of the other. */
const recipientKinds = [
  { prefix: "age1pq1", algorithm: "mlkem768x25519" },
  { prefix: "age1", algorithm: "X25519" },
] as const;

/** Longest header: every stanza in it costs whoever opens it a curve operation. */
export const maxHeaderBytes = 65_536;

export interface RecipientFacts {
  readonly algorithm: string;
  readonly fingerprint: string;
}

/** What a manifest says of a recipient. */
export function recipientFacts(recipient: string): RecipientFacts {
  const kind = recipientKinds.find(({ prefix }) => recipient.startsWith(prefix));
  return {
    algorithm: kind?.algorithm ?? "unknown",
    fingerprint: `sha256:${createHash("sha256").update(recipient).digest("hex")}`,
  };
}

/**
 * Makes a header and the file key behind it. The library wraps the key for the recipients; the last one here keeps the key and adds
 * nothing to the header, so that the payload can be sealed by native code. Throws `ArtifactError` `KEY_UNAVAILABLE` for a recipient
 * that is none, `LIMIT_EXCEEDED` for too many of them.
 */
export async function sealHeader(recipients: readonly string[]): Promise<{ header: Uint8Array; fileKey: Uint8Array }> {
  if (recipients.length === 0) throw new ArtifactError("KEY_UNAVAILABLE", "There is no key to seal the backup to.");
  const encrypter = new Encrypter();
  for (const recipient of recipients) addRecipient(encrypter, recipient);
  let fileKey = new Uint8Array();
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = key.slice();
      return [];
    },
  });
  const emptyFile = await encrypter.encrypt(new Uint8Array());
  const header = emptyFile.subarray(0, emptyFile.length - payloadNonceBytes - tagBytes);
  if (header.length <= maxHeaderBytes) return { header, fileKey };
  throw new ArtifactError("LIMIT_EXCEEDED", "The backup would be sealed to too many keys.", {
    keys: recipients.length,
  });
}

function addRecipient(encrypter: Encrypter, recipient: string): void {
  try {
    if (/^age1tag/.test(recipient)) throw new TypeError("a recipient of a hardware token");
    encrypter.addRecipient(recipient);
  } catch (cause) {
    const { fingerprint } = recipientFacts(recipient);
    throw new ArtifactError("KEY_UNAVAILABLE", "A key to seal the backup to is not valid.", { fingerprint }, { cause });
  }
}

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
