// Sealing into a storage that is tried again: it survives whatever passes, at every call, and leaves nothing of what does not.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { localStorage, type Storage, seal, verify } from "#artifact/node";
import { type Retry, retrying } from "../../artifact/storage/retrying.ts";
import { directory, file, identity, noise, sealOptions } from "../artifact/sealing.ts";
import { type Fault, faulty, isTransient, type Operation, once, quick, since } from "./faulty.ts";
import { memoryStorage } from "./memory.ts";

/** Several parts in the artifact, and one of every other file. */
function sealThrough(storage: Storage, signal = new AbortController().signal) {
  return seal({ ...sealOptions([file("a", noise(1_200_000)), file("b", "hello")]), storage, signal });
}

/** What one sealing calls, and how often. */
async function callsOfSealing(): Promise<[operation: Operation, calls: number][]> {
  const storage = faulty(memoryStorage(), () => null);
  await sealThrough(storage);
  return (Object.entries(storage.calls) as [Operation, number][]).filter(([, calls]) => calls > 0);
}

/** Nothing is tried again: it came to a good end at once, or was looked up. */
function isHarmless(fault: Fault, operation: Operation): boolean {
  if (fault === "slow") return true;
  return fault === "short" ? operation !== "read" : fault === "after" && operation === "commit";
}

describe("sealing into a storage that is tried again", () => {
  for (const fault of ["before", "after", "slow", "short"] as const)
    it(`survives a fault at any one call: ${fault}`, async () => {
      let survived = 0;
      for (const [operation, calls] of await callsOfSealing())
        for (let nth = 1; nth <= calls; nth++) {
          const memory = memoryStorage();
          const retries: Retry[] = [];
          const flawed = faulty(memory, once(fault, operation, nth));
          const { manifestSha256 } = await sealThrough(
            retrying(flawed, { ...quick, onRetry: (retry) => void retries.push(retry) }),
          );
          const whole = await verify({ storage: memory, directory, identities: [identity], manifestSha256 });
          assert.equal(whole.depth, "CONTENTS", `${operation} ${nth}`);
          assert.equal(memory.drafts.size, 0, `${operation} ${nth}`);
          const expected = isHarmless(fault, operation) ? [] : [operation];
          assert.deepEqual(
            retries.map((retry) => retry.operation),
            expected,
            `${operation} ${nth}`,
          );
          survived += 1;
        }
      assert.ok(survived > 20, `${survived} calls`);
    });

  it("leaves nothing where a fault stays, whichever call it begins at", async () => {
    for (const [operation, calls] of await callsOfSealing())
      for (let nth = 1; nth <= calls; nth++) {
        const memory = memoryStorage();
        const flawed = faulty(memory, since("before", operation, nth));
        const work = sealThrough(retrying(flawed, { ...quick, retryForMs: 20 }));
        await assert.rejects(work, isTransient, `${operation} ${nth}`);
        assert.deepEqual([memory.files.size, memory.drafts.size], [0, 0], `${operation} ${nth}`);
      }
  });

  it("leaves nothing, and asks once, where the storage is full at any call", async () => {
    const writing = new Set<Operation>(["begin", "create", "send", "finish", "commit"]);
    for (const [operation, calls] of await callsOfSealing())
      for (let nth = 1; nth <= calls && writing.has(operation); nth++) {
        const memory = memoryStorage();
        const retries: Retry[] = [];
        const flawed = faulty(memory, once("full", operation, nth));
        const work = sealThrough(retrying(flawed, { ...quick, onRetry: (retry) => void retries.push(retry) }));
        await assert.rejects(work, { code: "DISK_FULL" }, `${operation} ${nth}`);
        assert.deepEqual([memory.files.size, memory.drafts.size], [0, 0], `${operation} ${nth}`);
        assert.deepEqual(retries, [], `${operation} ${nth}`);
      }
  });

  it("publishes nothing where one byte is read back wrong, in any read", async () => {
    const reads = new Map(await callsOfSealing()).get("read") ?? 0;
    assert.ok(reads >= 5, `${reads} reads`);
    for (let nth = 1; nth <= reads; nth++) {
      const memory = memoryStorage();
      await assert.rejects(
        sealThrough(retrying(faulty(memory, once("wrong", "read", nth)), quick)),
        isTransient,
        `${nth}`,
      );
      assert.deepEqual([memory.files.size, memory.drafts.size], [0, 0], `${nth}`);
    }
  });

  it("leaves no file in a local file system where a fault stays", async () => {
    for (const [operation, calls] of await callsOfSealing()) {
      const base = await mkdtemp(join(tmpdir(), "xvault-retrying-"));
      try {
        const flawed = faulty(localStorage(base), since("before", operation, calls));
        await assert.rejects(sealThrough(retrying(flawed, { ...quick, retryForMs: 20 })), isTransient);
        const left = await readdir(base, { recursive: true, withFileTypes: true });
        assert.deepEqual(
          left.filter((entry) => !entry.isDirectory() || entry.name.startsWith(".")),
          [],
          operation,
        );
      } finally {
        await rm(base, { recursive: true });
      }
    }
  });

  it("ends at once when it is aborted in the middle of a wait", async () => {
    const memory = memoryStorage();
    const controller = new AbortController();
    const canceled = new Error("canceled");
    const patient = {
      retryForMs: 60_000,
      firstDelayMs: 30_000,
      onRetry: () => setTimeout(() => controller.abort(canceled), 20),
    };
    for (const operation of ["create", "send", "finish", "read"] as const) {
      const startedAt = performance.now();
      const storage = retrying(faulty(memory, since("before", operation, 1)), patient);
      await assert.rejects(sealThrough(storage, controller.signal), (error) => error === canceled, operation);
      assert.ok(performance.now() - startedAt < 5000, operation);
      assert.deepEqual([memory.files.size, memory.drafts.size], [0, 0], operation);
    }
  });
});
