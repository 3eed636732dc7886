// The quick tier of `npm run fuzz`: another seed at every run, printed, so that what it finds can be found again.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { client, signIn } from "../stage/client.ts";
import { type FuzzedHub, keptBytes, loggedFaults, mostKept, stageFuzzedHub } from "./fuzz/ground.ts";
import { sendDocuments } from "./fuzz/send-documents.ts";
import { sendFrames } from "./fuzz/send-frames.ts";

const seed = Date.now() % 1_000_000;

describe(`a hub under made-up operations (npm run fuzz -- --seed ${seed})`, () => {
  let fuzzed: FuzzedHub;

  before(async () => {
    setFlagsFromString("--expose-gc");
    globalThis.gc = runInNewContext("gc");
    fuzzed = await stageFuzzedHub();
    // What is kept of documents and statements is bounded, and full by then.
    await sendDocuments(fuzzed, seed + 1, 1_000);
  });
  after(() => fuzzed[Symbol.asyncDispose]());

  it("answers 1,000 of them without a fault of its own, and keeps no more than 20 MB of them", async (t) => {
    const before = keptBytes();
    const { faults, answers } = await sendDocuments(fuzzed, seed, 1_000);
    t.diagnostic(JSON.stringify(answers));
    assert.deepEqual(faults, []);
    const grown = keptBytes() - before;
    assert.ok(grown < mostKept, `${grown} bytes more`);
  });

  it("answers 500 frames that are nearly HTTP or graphql-ws the same way", async (t) => {
    const { faults, answers } = await sendFrames(fuzzed, seed, 500);
    t.diagnostic(JSON.stringify(answers));
    assert.deepEqual(faults, []);
  });

  it("has logged nothing as its own fault, and still works", async () => {
    assert.deepEqual(loggedFaults(fuzzed.hub), []);
    const ask = client(fuzzed.hub.graphqlUrl, await signIn(fuzzed.hub.graphqlUrl, fuzzed.person));
    assert.ok((await ask("{ viewer { id } }")).data.viewer.id);
  });
});
