// Trying again: what a storage fails at for the moment costs nothing but time, and what it refuses for good is told at once.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { localStorage, type Storage, StorageError } from "#artifact/node";
import { type Retry, type RetryingOptions, retrying } from "../../artifact/storage/retrying.ts";
import { directory } from "../artifact/sealing.ts";
import { describeStorage, type OpenedStorage } from "./contract.ts";
import {
  type Fault,
  type FaultyStorage,
  faulty,
  isTransient,
  type Operation,
  once,
  type Plan,
  quick,
  since,
} from "./faulty.ts";
import { memoryStorage } from "./memory.ts";
import { namesOf } from "./stored.ts";

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

  it("lets a draft that is aborted wait for nothing any more", async () => {
    const { memory, flawed, storage } = through(since("before", "send", 1), {
      retryForMs: 60_000,
      firstDelayMs: 30_000,
    });
    const draft = await storage.begin(directory, "1");
    const upload = await draft.create("a");
    const sending = upload.send(Buffer.from("hello"));
    setTimeout(() => void draft.abort(), 20);
    const startedAt = performance.now();
    await assert.rejects(sending, isTransient);
    assert.ok(performance.now() - startedAt < 5000);
    await assert.rejects(upload.send(Buffer.from("hello")), isTransient);
    assert.equal(flawed.calls.send, 2);
    assert.equal(memory.drafts.size, 0);
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
