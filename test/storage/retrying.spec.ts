// Trying again: what a storage fails at for the moment costs nothing but time, and what it refuses for good is told at once.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { localStorage, type Storage, StorageError, seal, verify } from "#artifact/node";
import { type Retry, type RetryingOptions, retrying } from "../../artifact/storage/retrying.ts";
import { directory, file, identity, noise, sealOptions } from "../artifact/sealing.ts";
import { describeStorage, namesOf, type OpenedStorage } from "./contract.ts";
import { type Fault, type FaultyStorage, faulty, type Operation, once, type Plan, since } from "./faulty.ts";
import { memoryStorage } from "./memory.ts";

const quick: RetryingOptions = { retryForMs: 1000, firstDelayMs: 1, longestDelayMs: 4 };

async function openLocal(wrap: (storage: Storage) => Storage): Promise<OpenedStorage> {
  const base = await mkdtemp(join(tmpdir(), "xvault-retrying-"));
  const dispose = () => rm(base, { recursive: true, force: true });
  return { storage: wrap(localStorage(join(base, "store"))), [Symbol.asyncDispose]: dispose };
}

/** Every other call fails, in turn before and after it took effect; a `sweep` that took effect has nothing left to count. */
function everyOther(operation: Operation, nth: number): Fault | null {
  if (nth % 2 === 0) return null;
  return nth % 4 === 1 && operation !== "sweep" ? "after" : "before";
}

describeStorage("a local file system, tried again,", () => openLocal((storage) => retrying(storage, quick)));
describeStorage("a local file system that fails every other time, tried again,", () =>
  openLocal((storage) => retrying(faulty(storage, everyOther), quick)),
);

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

function isTransient(error: unknown): boolean {
  return error instanceof StorageError && error.code === "STORAGE_UNAVAILABLE";
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

describe("a storage that is tried again", () => {
  const draftOf = async (storage: Storage, attempt: string, content: string) => {
    const draft = await storage.begin(directory, attempt);
    const upload = await draft.create("a");
    await upload.send(Buffer.from(content));
    await upload.finish();
    return draft;
  };
  const commitTo = async (storage: Storage, attempt: string, content: string) =>
    (await draftOf(storage, attempt, content)).commit();
  const through = (plan: Plan, options: RetryingOptions = quick) => {
    const memory = memoryStorage();
    const flawed: FaultyStorage = faulty(memory, plan);
    return { memory, flawed, storage: retrying(flawed, options) };
  };

  it("knows its own commit again whose answer was lost, and commits once", async () => {
    const { memory, flawed, storage } = through(since("after", "commit", 1));
    await commitTo(storage, "1", "first");
    assert.deepEqual([...memory.files.values()].map(String), ["first"]);
    assert.equal(flawed.calls.commit, 1);
  });

  it("replaces once, whether it was the order that was lost or the answer", async () => {
    for (const fault of ["before", "after"] as const) {
      const { memory, flawed, storage } = through(once(fault, "replace", 1));
      await commitTo(storage, "1", "first");
      // As long as the first: it is the last bytes that tell them apart.
      await (await draftOf(storage, "2", "other")).replace();
      assert.deepEqual([...memory.files.values()].map(String), ["other"], fault);
      assert.equal(flawed.calls.replace, fault === "before" ? 2 : 1);
    }
  });

  it("does not take another attempt's commit for its own, and is not kept waiting by it", async () => {
    for (const content of ["other", "longer"]) {
      const { memory, flawed, storage } = through(() => null, { retryForMs: 60_000, firstDelayMs: 30_000 });
      await commitTo(storage, "1", "first");
      await assert.rejects(commitTo(storage, "2", content), isTransient);
      assert.deepEqual([...memory.files.values()].map(String), ["first"]);
      assert.equal(flawed.calls.commit, 2);
    }
  });

  it("waits longer every time, up to the longest wait, and gives up when its time is over", async () => {
    const delays: number[] = [];
    const options = {
      retryForMs: 250,
      firstDelayMs: 4,
      longestDelayMs: 32,
      onRetry: ({ delayMs }: Retry) => void delays.push(delayMs),
    };
    const { storage } = through(since("before", "stat", 1), options);
    const startedAt = performance.now();
    await assert.rejects(storage.stat(directory, "a"), isTransient);
    assert.ok(performance.now() - startedAt < 1000);
    for (const [index, delayMs] of delays.entries()) {
      const mean = Math.min(32, 4 * 2 ** index);
      assert.ok(delayMs >= mean / 2 && delayMs <= mean * 1.5, `wait ${index} of ${delayMs} ms`);
    }
    assert.ok(delays.length >= 6, `${delays.length} waits`);
    assert.ok(new Set(delays.slice(4)).size > 1, "the waits are all the same");
  });

  it("asks once for what is not stored", async () => {
    const { flawed, storage } = through(() => null);
    await assert.rejects(storage.open(directory, "a"), { code: "NOT_STORED" });
    assert.equal(flawed.calls.open, 1);
  });

  it("ends a read's wait with the reason of its signal", async () => {
    const { storage } = through(since("before", "read", 1), { retryForMs: 60_000, firstDelayMs: 30_000 });
    await commitTo(storage, "1", "hello");
    const reader = await storage.open(directory, "a");
    const controller = new AbortController();
    const reading = reader.read(0, 5, controller.signal);
    setTimeout(() => controller.abort(new Error("called off")), 20);
    await assert.rejects(reading, /called off/);
  });

  it("does not list a name twice: a list that fails behind its first name has failed", async () => {
    const memory = memoryStorage();
    let lists = 0;
    const storage = retrying(
      {
        ...memory,
        async *list() {
          lists += 1;
          if (lists === 1) throw new StorageError("STORAGE_UNAVAILABLE", "failed on command");
          yield "n1";
          throw new StorageError("STORAGE_UNAVAILABLE", "failed on command");
        },
      },
      quick,
    );
    await assert.rejects(namesOf(storage), isTransient);
    assert.equal(lists, 2);
  });
});
