import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ArtifactError, EntryInterruptedError, StorageError } from "#artifact/node";
import { HubError } from "../../clients/hub/hub-error.ts";
import { JobCanceledError, LeaseLostError } from "../../clients/hub/keep-alive/lease.ts";
import { failureCodes } from "../../domain/rules/failures.ts";
import { failureOf, JobRefusedError } from "../../worker/failure.ts";
import { SftpStatusError } from "../../worker/sources/sftp/session.ts";
import { SourceError } from "../../worker/sources/source-error.ts";

const raw = "raw upstream words: connect ECONNREFUSED password=hunter2";

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: ${raw}`), { code });
}

const table: [thrown: unknown, code: string][] = [
  [new LeaseLostError(raw), "LEASE_LOST"],
  [new JobCanceledError(raw), "CANCELED"],
  [new HubError("LEASE_LOST", raw), "LEASE_LOST"],
  [new HubError("UNREACHABLE", raw), "TIMEOUT"],
  [new HubError("SOMETHING_NEW", raw), "TIMEOUT"],
  [new StorageError("DISK_FULL", raw), "DISK_FULL"],
  [new StorageError("STORAGE_UNAVAILABLE", raw), "STORAGE_UNAVAILABLE"],
  [new StorageError("NOT_STORED", raw), "STORAGE_UNAVAILABLE"],
  [new ArtifactError("ARTIFACT_CORRUPT", raw), "ARTIFACT_CORRUPT"],
  [new ArtifactError("KEY_UNAVAILABLE", raw), "KEY_UNAVAILABLE"],
  [new ArtifactError("LIMIT_EXCEEDED", raw), "QUOTA_EXCEEDED"],
  [new ArtifactError("ENTRY_REFUSED", raw), "TIMEOUT"],
  [new ArtifactError("UNSUPPORTED_VERSION", raw), "TIMEOUT"],
  [new JobRefusedError(raw), "WORKER_OFFLINE"],
  [systemError("ENOSPC"), "DISK_FULL"],
  [systemError("EDQUOT"), "DISK_FULL"],
  [systemError("ECONNREFUSED"), "TIMEOUT"],
  [new SftpStatusError(4), "TIMEOUT"],
  [new EntryInterruptedError(raw), "TIMEOUT"],
  [new TypeError(raw), "TIMEOUT"],
  [new AggregateError([new Error(raw)], raw), "TIMEOUT"],
  [raw, "TIMEOUT"],
  [undefined, "TIMEOUT"],
  [null, "TIMEOUT"],
  [{ code: "ENOSPC", message: raw }, "TIMEOUT"],
  [Object.create(null), "TIMEOUT"],
  [42n, "TIMEOUT"],
];

describe("the failure of a job", () => {
  for (const [thrown, code] of table)
    it(`is ${code} for ${thrown instanceof Error ? `${thrown.name} ${thrown.message.slice(0, 12)}` : typeof thrown}`, () => {
      const failure = failureOf(thrown);
      assert.equal(failure.code, code);
      assert.ok(failureCodes.includes(failure.code), "of the closed list");
      assert.match(failure.message, /^[A-Z].{10,200}\.$/, "one sentence");
      assert.doesNotMatch(failure.message, /raw|ECONN|hunter2/);
    });

  it("is a source's own code and sentence", () => {
    const sentence = "The server “db” refused the connection: nothing listens on port 22.";
    assert.deepEqual(failureOf(new SourceError("SOURCE_DISCONNECTED", sentence, { cause: new Error(raw) })), {
      code: "SOURCE_DISCONNECTED",
      message: sentence,
    });
  });
});
