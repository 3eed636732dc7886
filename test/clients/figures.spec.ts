import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesText, clockText, durationText, plural } from "../../clients/cli/figures.ts";

describe("figures for people", () => {
  const sizes: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.00 kB"],
    [12_345, "12.3 kB"],
    [999_499, "999 kB"],
    [999_999, "1.00 MB"],
    [123_456_789, "123 MB"],
    [9_007_199_254_740_991, "9.01 PB"],
  ];
  for (const [bytes, text] of sizes) it(`writes ${bytes} bytes as ${text}`, () => assert.equal(bytesText(bytes), text));

  const clocks: [number, string][] = [
    [-5, "0:00"],
    [59_999, "0:59"],
    [60_000, "1:00"],
    [3_723_000, "1:02:03"],
  ];
  for (const [ms, text] of clocks) it(`shows ${ms} ms as ${text} on a clock`, () => assert.equal(clockText(ms), text));

  const spans: [number, string][] = [
    [420, "0.4 s"],
    [9_949, "9.9 s"],
    [9_950, "10 s"],
    [59_600, "1 min 0 s"],
    [3_599_600, "1 h 0 min"],
    [7_323_000, "2 h 2 min"],
  ];
  for (const [ms, text] of spans) it(`says ${text} for ${ms} ms`, () => assert.equal(durationText(ms), text));

  it("knows one from many", () => {
    assert.deepEqual(
      [plural(1, "file"), plural(0, "file"), plural(1200, "entry", "entries")],
      ["1 file", "0 files", "1,200 entries"],
    );
  });
});
