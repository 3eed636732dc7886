// Tells whether ssh2 encrypts with its native addon. It falls back to JavaScript, three times slower, without a word.
import { createRequire } from "node:module";

/** Loads ssh2's crypto; the answer never changes within a process. */
export function nativeCryptoAvailable(): boolean {
  return createRequire(import.meta.url)("ssh2/lib/protocol/crypto.js").bindingAvailable === true;
}
