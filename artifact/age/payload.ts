// The payload of an age file as its specification cuts it: chunks of fixed size, each sealed with a nonce of its own.
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { ArtifactError } from "../errors.ts";

export const chunkBytes = 65_536;
export const tagBytes = 16;
export const storedChunkBytes = chunkBytes + tagBytes;
/** Random bytes between the header and the first chunk. */
export const payloadNonceBytes = 16;

export function payloadKey(fileKey: Uint8Array, payloadNonce: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", fileKey, payloadNonce, "payload", 32));
}

/** Seals one chunk into `target`, which has room for the chunk and its tag. */
export function sealChunk(key: Uint8Array, nonce: Uint8Array, chunk: Uint8Array, target: Uint8Array): void {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: tagBytes });
  const sealed = cipher.update(chunk);
  target.set(sealed, 0);
  // Given back at once: left to the garbage collector, these buffers would cost a third of the time of sealing them.
  if (sealed.buffer.byteLength === sealed.length) sealed.buffer.transfer(0);
  cipher.final();
  target.set(cipher.getAuthTag(), chunk.length);
}

/** Throws `ArtifactError` `ARTIFACT_CORRUPT` where the chunk is not the one that was sealed under this nonce. */
export function openChunk(key: Uint8Array, nonce: Uint8Array, stored: Uint8Array): Buffer {
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: tagBytes });
  decipher.setAuthTag(stored.subarray(stored.length - tagBytes));
  const chunk = decipher.update(stored.subarray(0, stored.length - tagBytes));
  try {
    decipher.final();
  } catch (cause) {
    const message = "The stored bytes are damaged: a part of them was changed after it was sealed.";
    throw new ArtifactError("ARTIFACT_CORRUPT", message, {}, { cause });
  }
  return chunk;
}

/** Eleven bytes of counter, big-endian, and one that tells the last chunk: what makes a cut or a swap show. */
export function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
