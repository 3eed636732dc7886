// The ways in which a job can fail: a closed list, and which of them may pass by themselves.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type FailureCode,
  failureCodes,
  isFailureCode,
  isRetryable,
  retryDelaySeconds,
} from "../../domain/rules/failures.ts";

/** Each of them, and whether a later attempt may succeed without anybody changing anything. */
const table: Record<FailureCode, "again" | "never"> = {
  LEASE_LOST: "again",
  SOURCE_AUTH_FAILED: "never",
  SOURCE_DISCONNECTED: "again",
  SOURCE_STALLED: "again",
  HOST_NOT_ALLOWED: "never",
  HOST_KEY_CHANGED: "never",
  PATH_NOT_FOUND: "never",
  DUMP_FAILED: "never",
  DUMP_TRUNCATED: "again",
  DUMP_VERSION_MISMATCH: "never",
  DISK_FULL: "never",
  QUOTA_EXCEEDED: "never",
  STORAGE_UNAVAILABLE: "again",
  ARTIFACT_CORRUPT: "never",
  KEY_UNAVAILABLE: "never",
  CUSTOMER_KEY_REQUIRED: "never",
  WORKER_LOST: "never",
  WORKER_OFFLINE: "again",
  CANCELED: "never",
  TIMEOUT: "again",
};

describe("the list of failures", () => {
  it("is closed", () => {
    assert.deepEqual(failureCodes.toSorted(), Object.keys(table).sort());
    for (const foreign of ["", "ECONNRESET", "timeout", "__proto__", "toString", "constructor"])
      assert.equal(isFailureCode(foreign), false, foreign);
  });

  for (const [code, retried] of Object.entries(table) as [FailureCode, string][])
    it(`has ${code}, which is tried ${retried}`, () => {
      assert.ok(isFailureCode(code));
      assert.equal(isRetryable(code), retried === "again");
    });
});

describe("the pause before the next attempt", () => {
  const delays: [delays: number[], attempt: number, seconds: number][] = [
    [[5, 30], 1, 5],
    [[5, 30], 2, 30],
    [[5, 30], 3, 30],
    [[5, 30], 99, 30],
    [[], 1, 0],
  ];
  for (const [list, attempt, seconds] of delays)
    it(`is ${seconds} s after attempt ${attempt} of [${list}]`, () =>
      assert.equal(retryDelaySeconds(list, attempt), seconds));
});
