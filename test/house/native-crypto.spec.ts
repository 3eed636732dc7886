// SSH at full speed needs an addon that npm may have built for another Node, and whose absence nobody is told of.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { nativeCryptoAvailable } from "../../worker/native-crypto-check.ts";

const compiler = spawnSync("c++", ["--version"]).status === 0;

describe("ssh2's crypto", () => {
  it(`is native under the Node that runs it, ${process.version}`, { skip: !compiler && "there is no c++ here" }, () => {
    assert.equal(nativeCryptoAvailable(), true);
  });
});
