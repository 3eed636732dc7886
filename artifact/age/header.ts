// The header of an age file: one random file key, wrapped for every recipient.
import { createHash } from "node:crypto";
import { Decrypter, Encrypter, type Stanza } from "age-encryption";
import { ArtifactError } from "../errors.ts";
import { payloadNonceBytes, tagBytes } from "./chunk.ts";
import { maxHeaderBytes } from "./header-opening.ts";

/** The two kinds of recipients of version 1, by the start of their text: the plain one is a prefix of the other. */
const recipientKinds = [
  { prefix: "age1pq1", algorithm: "mlkem768x25519" },
  { prefix: "age1", algorithm: "X25519" },
] as const;

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

export interface SealedHeader {
  readonly header: Uint8Array;
  readonly fileKey: Uint8Array;
}

/**
 * Makes a header and the file key behind it. The library wraps the key for the recipients; the last one here keeps the key and adds
 * nothing to the header, so that the payload can be sealed by native code. Throws `ArtifactError` `KEY_UNAVAILABLE` for a recipient
 * that is none, `LIMIT_EXCEEDED` for too many of them.
 */
export async function sealHeader(recipients: readonly string[]): Promise<SealedHeader> {
  if (recipients.length === 0) throw new ArtifactError("KEY_UNAVAILABLE", "There is no key to seal the backup to.");
  let fileKey = new Uint8Array();
  const onKey = (key: Uint8Array) => {
    fileKey = key.slice();
  };
  const header = await wrap({ recipients, wrapped: [], onKey });
  return { header, fileKey };
}

/**
 * Wraps the file key of an existing header for further recipients, behind those that it has already where `keep` says so. Throws as
 * `sealHeader` does, and `ARTIFACT_CORRUPT` where `fileKey` is not the key of `header`.
 */
export async function resealHeader(
  { header, fileKey }: SealedHeader,
  { recipients, keep }: { readonly recipients: readonly string[]; readonly keep: boolean },
): Promise<Uint8Array> {
  if (recipients.length === 0) throw new ArtifactError("KEY_UNAVAILABLE", "There is no key to seal the backup to.");
  const wrapped = keep ? await stanzasOf(header, fileKey) : [];
  const resealed = await wrap({ recipients, wrapped, onKey: (key) => key.set(fileKey) });
  // The library is made to take a key that it did not choose: what came of that is looked at.
  await stanzasOf(resealed, fileKey);
  return resealed;
}

interface Wrapping {
  readonly recipients: readonly string[];
  /** For the header's beginning, as they are. */
  readonly wrapped: readonly Stanza[];
  /** Sees the key before any recipient does, and may change it. */
  readonly onKey: (fileKey: Uint8Array) => void;
}

async function wrap({ recipients, wrapped, onKey }: Wrapping): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      onKey(key);
      return [...wrapped];
    },
  });
  for (const recipient of recipients) addRecipient(encrypter, recipient);
  const emptyFile = await encrypter.encrypt(new Uint8Array());
  const header = emptyFile.subarray(0, emptyFile.length - payloadNonceBytes - tagBytes);
  if (header.length <= maxHeaderBytes) return header;
  throw new ArtifactError("LIMIT_EXCEEDED", "The backup would be sealed to too many keys.", {
    keys: recipients.length,
  });
}

/** Throws where `fileKey` is not the one that the header was made with. */
async function stanzasOf(header: Uint8Array, fileKey: Uint8Array): Promise<Stanza[]> {
  let found: Stanza[] = [];
  const decrypter = new Decrypter();
  decrypter.addIdentity({
    unwrapFileKey: (stanzas) => {
      found = stanzas;
      return fileKey;
    },
  });
  try {
    await decrypter.decryptHeader(header);
    return found;
  } catch (cause) {
    throw new ArtifactError("ARTIFACT_CORRUPT", "The header of the encryption is damaged.", {}, { cause });
  }
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
