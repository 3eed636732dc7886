// Node's engine: native code, and decompression on libuv's threads.
import { createDecipheriv, createHash, createSecretKey, hash, hkdfSync, type KeyObject } from "node:crypto";
import { zstdDecompress } from "node:zlib";
import { tagBytes } from "../age/chunk.ts";
import type { Engine } from "./engine.ts";

export const nativeEngine: Engine = {
  sha256: (bytes) => hash("sha256", bytes),
  startSha256: () => createHash("sha256"),
  deriveKey: (secret, salt, info) => new Uint8Array(hkdfSync("sha256", secret, salt, info, 32)),
  chunkOpener(key) {
    // Prepared once: done anew for every chunk, it would take a third of the time of opening it.
    const prepared = createSecretKey(key);
    return (nonce, stored, target) => openChunk(prepared, nonce, stored, target);
  },
  decompress(frame, plainBytes) {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const options = { chunkSize: plainBytes + 64, maxOutputLength: plainBytes };
    zstdDecompress(frame, options, (error, plain) => {
      // One for too much output is a RangeError already.
      if (error) reject(error);
      else resolve(new Uint8Array(plain.buffer, plain.byteOffset, plain.length));
    });
    return promise;
  },
};

function openChunk(key: KeyObject, nonce: Uint8Array, stored: Uint8Array, target: Uint8Array): boolean {
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: tagBytes });
  decipher.setAuthTag(stored.subarray(stored.length - tagBytes));
  const plain = decipher.update(stored.subarray(0, stored.length - tagBytes));
  try {
    decipher.final();
  } catch {
    return false;
  }
  target.set(plain);
  // Given back at once: left to the garbage collector, these buffers would take as long again as opening them.
  if (plain.buffer.byteLength === plain.length) plain.buffer.transfer(0);
  return true;
}
