// The engine of browsers: JavaScript for hashes and the cipher, and zstd itself as WebAssembly. It runs in Node as well.
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { ZSTDDecoder } from "zstddec";
import type { Engine } from "./engine.ts";

const encoder = new TextEncoder();

export const webEngine: Engine = {
  sha256: (bytes) => bytesToHex(sha256(bytes)),
  startSha256: () => sha256.create(),
  deriveKey: (secret, salt, info) => hkdf(sha256, secret, salt, encoder.encode(info), 32),
  chunkOpener: (key) => (nonce, stored, target) => {
    try {
      chacha20poly1305(key, nonce).decrypt(stored, target);
      return true;
    } catch {
      return false;
    }
  },
  async decompress(frame, plainBytes) {
    const decoder = new ZSTDDecoder();
    await decoder.init();
    // It never writes past `plainBytes`, and answers nothing at all where that is too little or the frame is damaged.
    const plain = decoder.decode(frame, plainBytes);
    if (plain.length === 0) throw new Error("the frame does not decompress");
    return plain;
  },
};
