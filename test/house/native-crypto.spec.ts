// SSH at full speed needs an addon that npm may have built for another Node, and whose absence nobody is told of.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { abortsWhenCollected, nativeCryptoAvailable } from "../../worker/native-crypto-check.ts";

const compiler = spawnSync("c++", ["--version"]).status === 0;

/** Makes and forgets ciphers until the garbage collector has run of itself; one that is asked to runs where nothing can go wrong. */
const dropCiphers = `
  const { createCipher, CIPHER_INFO } = require("ssh2/lib/protocol/crypto.js");
  const cipherInfo = CIPHER_INFO["aes128-gcm@openssh.com"];
  const forget = () => createCipher({ outbound: { seqno: 0, cipherInfo, cipherKey: Buffer.alloc(16), cipherIV: Buffer.alloc(12), onWrite() {} } });
  let turns = 300;
  (function turn() {
    for (let n = 0; n < 200; n++) [forget(), new Array(1000).fill({})];
    if (--turns > 0) setImmediate(turn);
  })();`;

describe("ssh2's crypto", () => {
  it(`is native under the Node that runs it, ${process.version}`, { skip: !compiler && "there is no c++ here" }, () => {
    assert.equal(nativeCryptoAvailable(), true);
  });

  it("outlives the garbage collection of its ciphers", { skip: !compiler && "there is no c++ here" }, () => {
    assert.equal(abortsWhenCollected(), false);
    const run = spawnSync(process.execPath, ["--max-old-space-size=60", "--eval", dropCiphers], { encoding: "utf8" });
    assert.equal(run.signal ?? run.status, 0, run.stderr);
  });
});
