import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import { runAhead } from "../../../worker/sources/run-ahead.ts";
import { WarningList } from "../../../worker/warning-list.ts";

async function* numbers(count: number): AsyncGenerator<number> {
  for (let n = 0; n < count; n++) yield n;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("running ahead", () => {
  it("keeps the order, whatever is ready first", async () => {
    const start = async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 20 - n * 2));
      return n;
    };
    const results: number[] = [];
    const options = { start, cost: () => 1, maxItems: 10, maxCost: 100 };
    for await (const n of runAhead(numbers(10), options)) results.push(n);
    assert.deepEqual(results, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("starts no more items, and no costlier ones, than it may hold", async () => {
    for (const { bounds, cost, most } of [
      { bounds: { maxItems: 4, maxCost: 1_000 }, cost: 1, most: 4 },
      { bounds: { maxItems: 100, maxCost: 10 }, cost: 4, most: 2 },
      { bounds: { maxItems: 100, maxCost: 10 }, cost: 50, most: 1 },
    ]) {
      let held = 0;
      let mostHeld = 0;
      const start = async (n: number) => {
        mostHeld = Math.max(mostHeld, ++held);
        return n;
      };
      for await (const _ of runAhead(numbers(20), { start, cost: () => cost, ...bounds })) {
        await settled();
        held--;
      }
      assert.equal(mostHeld, most);
    }
  });

  it("throws a failure when its turn has come, and the failure of the items at their end", async () => {
    const seen: number[] = [];
    const start = async (n: number) => {
      if (n === 2) throw new Error("the third");
      return n;
    };
    const read = async (items: AsyncIterable<number>) => {
      const options = { start, cost: () => 1, maxItems: 9, maxCost: 9 };
      for await (const n of runAhead(items, options)) seen.push(n);
    };
    await assert.rejects(read(numbers(5)), /the third/);
    assert.deepEqual(seen, [0, 1]);
    async function* broken(): AsyncGenerator<number> {
      yield 0;
      throw new Error("no more items");
    }
    await assert.rejects(read(broken()), /no more items/);
  });

  it("ends its items when nobody wants more", async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<number> {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        ended = true;
      }
    }
    const options = { start: async (n: number) => n, cost: () => 1, maxItems: 2, maxCost: 9 };
    for await (const _ of runAhead(endless(), options)) break;
    await settled();
    assert.equal(ended, true);
  });
});

describe("a list of warnings", () => {
  it("lists so many, counts the rest, and stays partial for it", () => {
    const list = new WarningList(3);
    const warn = (code: Warning["code"]) => list.add({ code, path: "p", message: "m" });
    for (let n = 0; n < 5; n++) warn("SPECIAL_SKIPPED");
    assert.deepEqual(list.kept.at(-1), {
      code: "SPECIAL_SKIPPED",
      path: "",
      message: "2 more warnings are not listed.",
    });
    warn("VANISHED");
    assert.equal(list.kept.length, 4);
    assert.deepEqual(list.kept.at(-1), { code: "VANISHED", path: "", message: "3 more warnings are not listed." });
  });
});
