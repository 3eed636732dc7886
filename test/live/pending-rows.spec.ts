import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { formatCursor, parseCursor } from "../../server/live/cursor.ts";
import { PendingRows } from "../../server/live/pending-rows.ts";

describe("the rows that a subscriber is still to be told of", () => {
  it("are each told after their last change, and its cursor never passes one that is not", async () => {
    const row = fc.integer({ min: 0, max: 8 }).map(String);
    const step = fc.oneof(fc.array(row, { maxLength: 4 }), fc.constant("take" as const));
    await fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pending = new PendingRows(null, 6);
        /** For each row the batches that it changed in and that are not told. */
        const untold = new Map<string, number[]>();
        let batch = 0;
        for (const each of steps) {
          if (each === "take") {
            const id = pending.take();
            assert.equal(id === undefined, untold.size === 0);
            untold.delete(id ?? "");
          } else {
            batch++;
            for (const id of each) untold.set(id, [...(untold.get(id) ?? []), batch]);
            const fits = pending.add(each, String(batch));
            assert.equal(fits, untold.size <= 6);
            if (!fits) return;
          }
          const oldest = Math.min(batch + 1, ...untold.values().map(([first = 0]) => first));
          assert.ok(Number(pending.settled ?? 0) < oldest, "its cursor passes a change that is not told");
          if (untold.size === 0) assert.equal(Number(pending.settled ?? 0), batch);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a cursor", () => {
  it("is read as it was written, and what Postgres would not take is none", async () => {
    for (const cursor of ["1:1:", "7:9:7,8", "1000000:1000100:1000001,1000050"])
      assert.equal(parseCursor(formatCursor(cursor)), cursor);
    assert.equal(parseCursor(formatCursor(null)), null);
    for (const junk of ["2:1:", "1:3:3", "2:4:1", "1:5:3,2", "1:5:2,2", "01:2:", "1:2", "-1:2:", "1:2:,", "1:2: "])
      assert.equal(parseCursor(Buffer.from(junk).toString("base64url")), undefined, junk);
    await fc.assert(fc.property(fc.string(), (text) => text === "0" || typeof parseCursor(text) !== "object"));
  });
});
