// What becomes of a job when an attempt at it ends without success.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { failureCodes, isRetryable } from "../../domain/rules/failures.ts";
import { afterAttempt, type EndedAttempt, isEnded, type JobState } from "../../domain/rules/job-states.ts";

const ended = (facts: Partial<EndedAttempt>): EndedAttempt => ({
  code: "SOURCE_DISCONNECTED",
  attempt: 1,
  maxAttempts: 3,
  cancelRequested: false,
  random: 0,
  ...facts,
});

describe("a job whose attempt ended", () => {
  const table: [what: string, facts: Partial<EndedAttempt>, next: ReturnType<typeof afterAttempt>][] = [
    ["is queued again after the first pause", {}, { state: "QUEUED", delaySeconds: 5 }],
    ["is queued again a little later, by chance", { random: 1 }, { state: "QUEUED", delaySeconds: 6 }],
    [
      "is queued again sooner where a lease was lost",
      { code: "LEASE_LOST", attempt: 2 },
      { state: "QUEUED", delaySeconds: 5 },
    ],
    ["is queued again after the second pause", { attempt: 2 }, { state: "QUEUED", delaySeconds: 30 }],
    ["has failed after its last attempt", { attempt: 3 }, { state: "FAILED" }],
    ["has failed where it gets one attempt only", { maxAttempts: 1 }, { state: "FAILED" }],
    ["has failed at once where trying again cannot help", { code: "SOURCE_AUTH_FAILED" }, { state: "FAILED" }],
    ["is canceled where somebody asked for it", { cancelRequested: true }, { state: "CANCELED" }],
    [
      "is canceled where somebody asked for it, whatever else went wrong",
      { cancelRequested: true, code: "DISK_FULL", attempt: 3 },
      { state: "CANCELED" },
    ],
    ["is canceled where the worker stopped for that reason", { code: "CANCELED" }, { state: "CANCELED" }],
  ];
  for (const [what, facts, next] of table) it(what, () => assert.deepEqual(afterAttempt(ended(facts), [5, 30]), next));

  it("is queued again for the retryable codes and no others", () => {
    for (const code of failureCodes)
      assert.equal(afterAttempt(ended({ code }), [5]).state === "QUEUED", isRetryable(code), code);
  });
});

describe("a state", () => {
  const states: [state: JobState, over: boolean][] = [
    ["QUEUED", false],
    ["RUNNING", false],
    ["FINALIZING", false],
    ["COMPLETED", true],
    ["FAILED", true],
    ["CANCELED", true],
  ];
  for (const [state, over] of states)
    it(`${state} is ${over ? "" : "not "}the end`, () => assert.equal(isEnded(state), over));
});
