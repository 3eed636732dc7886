// How a process takes its work: when it looks, how much it takes, and how it lets go.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pino } from "pino";
import { takeClaims } from "../../clients/hub/claims.ts";

/** A queue of names; whoever claims is counted. Nothing is found by looking again within a test. */
function stageWork({ atOnce = 2, drainMs = 60_000 } = {}) {
  const queue: string[] = [];
  const begun: string[] = [];
  const stopped: string[] = [];
  const under = new Map<string, () => void>();
  let looks = 0;
  const end = (job: string, list?: string[]) => {
    if (under.has(job)) list?.push(job);
    under.get(job)?.();
    under.delete(job);
  };
  const claims = takeClaims<string>({
    ...{ atOnce, pollMs: 600_000, drainMs, log: pino({ level: "silent" }) },
    async claim(most) {
      looks++;
      return queue.splice(0, most);
    },
    perform: (job, stopping) =>
      new Promise<void>((resolve) => {
        begun.push(job);
        under.set(job, resolve);
        stopping.addEventListener("abort", () => end(job, stopped));
      }),
  });
  return {
    ...{ claims, queue, begun, stopped, looks: () => looks, end },
    async [Symbol.asyncDispose]() {
      for (const job of begun) end(job);
      await claims[Symbol.asyncDispose]();
    },
  };
}

const soon = () => pause(20);

describe("a process that takes jobs", () => {
  it("looks at its start, and then when it is rung", async () => {
    await using work = stageWork();
    const { claims, queue, begun } = work;
    await soon();
    queue.push("a");
    await soon();
    assert.deepEqual(begun, []);
    claims.ring();
    await soon();
    assert.deepEqual(begun, ["a"]);
  });

  it("looks again when a job of its own has ended: another may have waited for that", async () => {
    await using work = stageWork();
    const { claims, queue, begun, end } = work;
    queue.push("a");
    claims.ring();
    await soon();
    queue.push("b");
    await soon();
    assert.deepEqual(begun, ["a"]);
    end("a");
    await soon();
    assert.deepEqual(begun, ["a", "b"]);
  });

  it("takes no more than it has places for, and asks for nothing while it has none", async () => {
    await using work = stageWork();
    const { claims, queue, begun, looks, end } = work;
    queue.push("a", "b", "c");
    claims.ring();
    await soon();
    assert.deepEqual(begun, ["a", "b"]);
    const before = looks();
    claims.ring();
    await soon();
    assert.equal(looks(), before);
    end("b");
    await soon();
    assert.deepEqual(begun, ["a", "b", "c"]);
  });

  it("claims nothing more once it closes, waits for what it has, and stops what takes too long", async () => {
    await using work = stageWork({ drainMs: 200 });
    const { claims, queue, begun, stopped, end } = work;
    queue.push("a", "b");
    claims.ring();
    await soon();
    const closed = claims[Symbol.asyncDispose]();
    queue.push("c");
    end("a");
    await closed;
    assert.deepEqual([begun, stopped], [["a", "b"], ["b"]]);
  });
});
