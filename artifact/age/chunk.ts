// How the payload of an age file is cut: chunks of fixed size, each sealed with a nonce of its own.

export const chunkBytes = 65_536;
export const tagBytes = 16;
export const storedChunkBytes = chunkBytes + tagBytes;
/** Random bytes between the header and the first chunk. */
export const payloadNonceBytes = 16;
/** What the payload's key is derived for. */
export const payloadKeyInfo = "payload";

/** Eleven bytes of counter, big-endian, and one that tells the last chunk: what makes a cut or a swap show. */
export function chunkNonce(index: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(3, Math.floor(index / 2 ** 32));
  view.setUint32(7, index % 2 ** 32);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
