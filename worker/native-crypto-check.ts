// Tells whether ssh2 encrypts with its native addon, and whether that addon can be trusted not to end the process.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/**
 * What the headers of Node 24.19 and later compile into every addon that wraps objects: a call that aborts the process when the
 * garbage collector takes such an object (nodejs/node#65446, mscdex/ssh2#1511). It follows the headers, not the Node that runs.
 */
export const abortingHook = "RemoveEnvironmentCleanupHook";

/** Where ssh2's install script puts its addon. */
export const addonFile = join(
  dirname(require.resolve("ssh2/package.json")),
  "lib/protocol/crypto/build/Release/sshcrypto.node",
);

/** Loads ssh2's crypto, which falls back to JavaScript, three times slower, without a word. The answer never changes within a process. */
export function nativeCryptoAvailable(): boolean {
  return require("ssh2/lib/protocol/crypto.js").bindingAvailable === true;
}

/** Whether the addon was built with headers that make it abort the process some day. */
export function abortsWhenCollected(): boolean {
  return existsSync(addonFile) && readFileSync(addonFile).includes(abortingHook);
}
