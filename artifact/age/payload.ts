// Seals the payload of an age file chunk by chunk, by native code.
import { createCipheriv, hkdfSync, type KeyObject } from "node:crypto";
import { payloadKeyInfo, tagBytes } from "./chunk.ts";

export function payloadKey(fileKey: Uint8Array, payloadNonce: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", fileKey, payloadNonce, payloadKeyInfo, 32));
}

/** Seals one chunk into `target`, which has room for the chunk and its tag. A key that is prepared already saves a third of the time. */
export function sealChunk(key: KeyObject | Uint8Array, nonce: Uint8Array, chunk: Uint8Array, target: Uint8Array): void {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: tagBytes });
  const sealed = cipher.update(chunk);
  target.set(sealed, 0);
  // Given back at once: left to the garbage collector, these buffers would cost a third of the time of sealing them.
  if (sealed.buffer.byteLength === sealed.length) sealed.buffer.transfer(0);
  cipher.final();
  target.set(cipher.getAuthTag(), chunk.length);
}
