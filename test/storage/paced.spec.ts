// A storage that is read no faster than it may be.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { paced } from "#artifact/node";

const bytes = new Uint8Array(1_000_000);
const storage = {
  stat: async () => ({ size: bytes.length }),
  open: async () => ({
    size: bytes.length,
    read: async (position: number, length: number) => bytes.subarray(position, position + length),
    close: async () => {},
  }),
};

describe("a paced storage", () => {
  it("lets no more through than its rate, over all of its readers together", async () => {
    const slow = paced(storage, 2_000_000);
    const [one, two] = [await slow.open("d", "one"), await slow.open("d", "two")];
    const begunMs = performance.now();
    for (let n = 0; n < 5; n++) await Promise.all([one.read(0, 100_000), two.read(0, 100_000)]);
    // The last part is not waited for: 0.9 of a million bytes at two million a second.
    assert.ok(performance.now() - begunMs >= 440);
  });

  it("ends a wait the moment it is told to, with the reason", async () => {
    const reader = await paced(storage, 1).open("d", "one");
    await reader.read(0, 1_000);
    const ending = new AbortController();
    const waiting = reader.read(0, 1_000, ending.signal);
    const reason = new Error("enough");
    ending.abort(reason);
    await assert.rejects(waiting, reason);
  });
});
