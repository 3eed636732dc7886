// A sealing that is ended, wherever and by whatever, leaves nothing and lets go of its source.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Draft, type Entry, localStorage, type Storage, StorageError, seal } from "#artifact/node";
import { memoryStorage } from "../storage/memory.ts";
import { file, noise, sealOptions } from "./sealing.ts";

const canceled = new Error("canceled");

describe("sealing", () => {
  it("leaves nothing when it is aborted, at any of its steps", async () => {
    const steps = await countSteps();
    assert.ok(steps > 20, `${steps} steps`);
    for (let step = 1; step < steps; step++) {
      const controller = new AbortController();
      const storage = memoryStorage();
      let at = 0;
      const stepping = steppingStorage(storage, (call) => {
        at += 1;
        if (at === step && call !== "commit") controller.abort(canceled);
      });
      const work = seal({ ...sealOptions(tree(() => stepping.step())), storage: stepping, signal: controller.signal });
      await assert.rejects(work, (error) => error === canceled, `step ${step}`);
      assert.deepEqual([storage.files.size, storage.drafts.size], [0, 0], `step ${step}`);
    }
  });

  it("leaves nothing when the storage fails, at any of its steps, and tells that failure", async () => {
    const full = new StorageError("DISK_FULL", "The storage has no room left.");
    const steps = await countSteps();
    let failures = 0;
    for (let step = 1; step <= steps; step++) {
      const storage = memoryStorage();
      let at = 0;
      const failing = steppingStorage(storage, () => {
        at += 1;
        if (at === step) throw full;
      });
      const work = seal({ ...sealOptions(tree(() => {})), storage: failing });
      await work.then(
        () => assert.ok(at < step, `step ${step} did not fail`),
        (error) => {
          failures += 1;
          assert.equal(error, full, `step ${step}`);
          assert.equal(storage.files.size, 0);
        },
      );
      assert.equal(storage.drafts.size, 0, `step ${step}`);
    }
    assert.ok(failures > 15, `${failures} failures`);
  });

  it("ends at once when a source that hangs is aborted", async () => {
    for (const hanging of [hangingEntries(), hangingContent(10), hangingContent(null)]) {
      const controller = new AbortController();
      const storage = memoryStorage();
      const work = seal({ ...sealOptions(hanging), storage, signal: controller.signal });
      setTimeout(() => controller.abort(canceled), 50);
      const startedAt = performance.now();
      await assert.rejects(work, (error) => error === canceled);
      assert.ok(performance.now() - startedAt < 5000);
      assert.equal(storage.drafts.size, 0);
    }
  });

  it("ends when the storage fails while the source has nothing to give", async () => {
    const storage = memoryStorage();
    const failing = steppingStorage(storage, (call) => {
      if (call === "send") throw new StorageError("STORAGE_UNAVAILABLE", "The storage failed.");
    });
    async function* entries() {
      yield file("big", noise(9_000_000));
      await new Promise(() => {});
    }
    await assert.rejects(seal({ ...sealOptions(entries()), storage: failing }), StorageError);
    assert.equal(storage.drafts.size, 0);
  });

  it("throws on what its source threw, and lets go of it", async () => {
    const lost = new Error("connection lost");
    for (const [size, failAt] of [
      [10, "content"],
      [null, "content"],
      [10, "entries"],
    ] as const) {
      const released: string[] = [];
      const storage = memoryStorage();
      const work = seal({ ...sealOptions(failingEntries({ size, failAt, error: lost, released })), storage });
      await assert.rejects(work, (error) => error === lost);
      assert.deepEqual(released, failAt === "content" ? ["content", "entries"] : ["entries"]);
      assert.equal(storage.drafts.size, 0);
    }
  });

  it("lets go of the content in hand and of the entries when it is aborted", async () => {
    const controller = new AbortController();
    const released: string[] = [];
    const entries = failingEntries({ size: 100, failAt: "never", error: canceled, released });
    const work = seal({
      ...sealOptions(entries),
      storage: steppingStorage(memoryStorage(), () => {}),
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(canceled), 50);
    await assert.rejects(work, (error) => error === canceled);
    assert.deepEqual(released.sort(), ["content", "entries"]);
  });

  it("leaves no file in a local file system when it is aborted half-way", async () => {
    const base = await mkdtemp(join(tmpdir(), "xvault-interruption-"));
    try {
      const controller = new AbortController();
      async function* entries(): AsyncGenerator<Entry> {
        yield file("big", noise(9_000_000));
        yield file("dump", "", { size: null, content: endless(controller) });
      }
      const options = { storage: localStorage(join(base, "store")), spoolDirectory: join(base, "spool") };
      await assert.rejects(seal({ ...sealOptions(entries()), ...options, signal: controller.signal }), /canceled/);
      const left = await readdir(base, { recursive: true, withFileTypes: true });
      assert.deepEqual(
        left.filter((entry) => !entry.isDirectory() || entry.name.startsWith(".")),
        [],
      );
    } finally {
      await rm(base, { recursive: true });
    }
  });
});

async function* tree(step: () => void): AsyncGenerator<Entry> {
  for (const [index, size] of [10, 200_000, null].entries()) {
    step();
    async function* content() {
      step();
      yield noise(100_000);
      step();
      yield noise(100_000);
    }
    yield file(`f${index}`, "", { size, content: content() });
  }
}

/** How often a whole sealing passes a step. */
async function countSteps(): Promise<number> {
  let steps = 0;
  const storage = steppingStorage(memoryStorage(), () => {
    steps += 1;
  });
  await seal({ ...sealOptions(tree(() => storage.step())), storage });
  return steps;
}

/** Calls `onStep` in front of every call of the storage; a step that is thrown is the storage's failure. */
function steppingStorage(storage: Storage, onStep: (call: string) => void): Storage & { step: () => void } {
  return {
    ...storage,
    step: () => onStep("source"),
    async begin(directory, attempt) {
      const draft = await storage.begin(directory, attempt);
      const stepped: Draft = {
        async create(name) {
          onStep("create");
          const upload = await draft.create(name);
          return {
            async send(part) {
              onStep("send");
              await upload.send(part);
            },
            async finish() {
              onStep("finish");
              await upload.finish();
            },
          };
        },
        async open(name) {
          onStep("open");
          return draft.open(name);
        },
        async commit() {
          onStep("commit");
          await draft.commit();
        },
        replace: () => draft.replace(),
        abort: () => draft.abort(),
      };
      return stepped;
    },
  };
}

async function* hangingEntries(): AsyncGenerator<Entry> {
  yield file("a", "x");
  await new Promise(() => {});
}

async function* hangingContent(size: number | null): AsyncGenerator<Entry> {
  async function* content(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("x");
    await new Promise(() => {});
  }
  yield file("a", "", { size, content: content() });
}

async function* endless(controller: AbortController): AsyncGenerator<Uint8Array> {
  for (let index = 0; ; index++) {
    if (index === 9) controller.abort(canceled);
    yield noise(1_000_000);
  }
}

interface FailingEntries {
  readonly size: number | null;
  readonly failAt: "content" | "entries" | "never";
  readonly error: Error;
  readonly released: string[];
}

async function* failingEntries({ size, failAt, error, released }: FailingEntries): AsyncGenerator<Entry> {
  async function* content(): AsyncGenerator<Uint8Array> {
    try {
      for (let index = 0; index < 10; index++) {
        yield Buffer.from("x");
        if (failAt === "content") throw error;
        if (failAt === "never") await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      released.push("content");
    }
  }
  try {
    if (failAt === "entries") throw error;
    yield file("a", "", { size, content: content() });
  } finally {
    released.push("entries");
  }
}
