import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { nearPlace } from "../../../worker/sources/dump/near-place.ts";
import { textTrailer, verifiedDump } from "../../../worker/sources/dump/verified-dump.ts";
import { SourceError } from "../../../worker/sources/source-error.ts";

/** What a reader gets of a program's dump: the text, or how it failed, and what was told besides. */
async function read(script: string, silenceMs = 20_000) {
  const tempBase = await mkdtemp(join(tmpdir(), "xvault-dump-"));
  const place = nearPlace({ tempBase, signal: new AbortController().signal });
  const complaints: string[] = [];
  let text = "";
  try {
    const dump = verifiedDump(() => place.run({ program: "sh", args: ["-c", script], silenceMs }), {
      program: "mydump",
      trailer: textTrailer(/^-- Dump completed/m),
      refuse: ({ complaints }) =>
        complaints.includes("Access denied") ? new SourceError("SOURCE_AUTH_FAILED", "Check the password.") : null,
      complained: (said) => complaints.push(said),
    });
    for await (const chunk of dump) text += Buffer.from(chunk).toString();
    return { text, complaints, failure: null };
  } catch (error) {
    assert.ok(error instanceof SourceError);
    return { text, complaints, failure: { code: error.code, message: error.message } };
  } finally {
    await rm(tempBase, { recursive: true, force: true });
  }
}

describe("a dump", () => {
  it("is whole where the program ended well and wrote its last line", async () => {
    const { text, failure, complaints } = await read("echo data; echo '-- Dump completed on 2026-01-02'");
    assert.deepEqual(
      { text, failure, complaints },
      { ...{ text: "data\n-- Dump completed on 2026-01-02\n" }, failure: null, complaints: [] },
    );
  });

  it("is DUMP_TRUNCATED where the program claims success and the last line is missing", async () => {
    for (const script of ["echo data", "true", "printf 'data\\n-- Dump comp'", "echo '-- Dump completed'; seq 10000"])
      assert.equal((await read(script)).failure?.code, "DUMP_TRUNCATED", script);
  });

  it("is DUMP_FAILED where the program failed, though the last line be there", async () => {
    const { failure } = await read("echo '-- Dump completed'; echo 'secret words' >&2; exit 2");
    assert.equal(failure?.code, "DUMP_FAILED");
    assert.match(failure?.message ?? "", /mydump failed with exit code 2/);
    assert.doesNotMatch(failure?.message ?? "", /secret/);
    const killed = await read("echo '-- Dump completed'; kill -9 $$");
    assert.match(killed.failure?.message ?? "", /mydump was ended by the signal SIGKILL/);
    assert.match((await read("exec no-such-program 2>/dev/null")).failure?.message ?? "", /exit code 127/);
  });

  it("fails as its source knows the complaint", async () => {
    const { failure } = await read("echo 'Access denied for root' >&2; exit 2");
    assert.deepEqual(failure, { code: "SOURCE_AUTH_FAILED", message: "Check the password." });
  });

  it("is SOURCE_STALLED where the program falls silent", async () => {
    const { failure, text } = await read("echo data; sleep 30; echo '-- Dump completed'", 300);
    assert.deepEqual({ code: failure?.code, text }, { code: "SOURCE_STALLED", text: "data\n" });
  });

  it("tells of complaints where it is whole all the same", async () => {
    const { failure, complaints } = await read("echo 'a warning' >&2; echo '-- Dump completed'");
    assert.deepEqual({ failure, complaints }, { failure: null, complaints: ["a warning\n"] });
  });

  it("knows its last line however it is cut into pieces, and keeps no more than that of it", async () => {
    const bytes = Buffer.from(`${"x".repeat(9_000)}\n-- Dump completed on today\n`);
    for (const step of [1, 7, 4_095, 4_096, 4_097, 100_000]) {
      const trailer = textTrailer(/^-- Dump completed/m);
      const buffer = Buffer.alloc(step);
      for (let at = 0; at < bytes.length; at += step) {
        const length = bytes.copy(buffer, 0, at, at + step);
        trailer.take(buffer.subarray(0, length));
        assert.equal(trailer.isComplete(), at + step >= bytes.length - " on today\n".length, `${step} at ${at}`);
      }
      // The memory of a chunk is used again: what was in it must have been copied.
      buffer.fill("y");
      assert.ok(trailer.isComplete());
    }
  });

  it("is not begun before it is read, and not run on where its reader ends", async () => {
    let started = 0;
    const place = nearPlace({ tempBase: tmpdir(), signal: new AbortController().signal });
    const dump = () =>
      verifiedDump(
        () => {
          started++;
          return place.run({ program: "yes", args: [] });
        },
        { program: "yes", trailer: textTrailer(/never/) },
      );
    await dump().return(undefined);
    assert.equal(started, 0);
    const running = dump();
    assert.equal((await running.next()).done, false);
    await running.return(undefined);
    assert.equal((await running.next()).done, true);
  });
});
