// What sealing refuses, and what it tells on the way.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateHybridIdentity, identityToRecipient } from "age-encryption";
import { ArtifactError, type Storage, StorageError, seal } from "#artifact/node";
import { memoryStorage } from "../storage/memory.ts";
import { file, noise, readEntries, recipient, sealOptions, sealTree } from "./sealing.ts";

const canceled = new Error("canceled");

describe("sealing", () => {
  it("ends with LIMIT_EXCEEDED past its limit, of known lengths and of unknown ones", async () => {
    for (const size of [3_000_000, null]) {
      const storage = memoryStorage();
      const work = seal({
        ...sealOptions([file("big", noise(3_000_000), { size })]),
        storage,
        maxBytes: 2_000_000,
      });
      await assert.rejects(work, (error) => error instanceof ArtifactError && error.code === "LIMIT_EXCEEDED");
      assert.equal(storage.drafts.size, 0);
    }
    const unending = seal({
      ...sealOptions([file("dump", "", { size: null, content: endless() })]),
      storage: memoryStorage(),
      maxBytes: 20_000_000,
    });
    await assert.rejects(unending, (error) => error instanceof ArtifactError && error.code === "LIMIT_EXCEEDED");
    const { result } = await sealTree([file("big", noise(100_000))], { maxBytes: 2_000_000 });
    assert.equal(result.fileCount, 1);
  });

  it("refuses recipients that are none with KEY_UNAVAILABLE", async () => {
    const token = "age1tag1qwe0kafsjrar4txm6heqnhpfuggzr0gvznz7fvygxrlq90u5mq2pysxtw6h";
    for (const recipients of [[], ["age1nonsense"], [recipient, ""], [`${recipient} `], [token]]) {
      const storage = memoryStorage();
      const work = seal({ ...sealOptions([file("a", "x")]), recipients, storage });
      await assert.rejects(work, (error) => error instanceof ArtifactError && error.code === "KEY_UNAVAILABLE");
      assert.equal(storage.drafts.size, 0);
    }
  });

  it("refuses more recipients than the header of a sealed file has room for", async () => {
    const recipients = await Promise.all(
      Array.from({ length: 45 }, async () => identityToRecipient(await generateHybridIdentity())),
    );
    const storage = memoryStorage();
    const work = seal({ ...sealOptions([]), recipients, storage });
    await assert.rejects(work, (error) => error instanceof ArtifactError && error.code === "LIMIT_EXCEEDED");
    assert.equal(storage.drafts.size, 0);
  });

  it("keeps the nearest time that can be told where a file's own is beyond all of them", async () => {
    const times = [Number.NaN, 1e17, -1e17, Number.POSITIVE_INFINITY, 1.5, -0.5];
    const sealed = await sealTree(times.map((mtimeMs, index) => file(`f${index}`, "x", { mtimeMs })));
    const { MAX_SAFE_INTEGER: most } = Number;
    const kept = (await readEntries(await sealed.open())).map(({ mtimeMs }) => mtimeMs);
    assert.deepEqual(kept, [0, most, -most, most, 1, -1]);
  });

  it("refuses ids that are none before it begins", async () => {
    for (const key of ["tenantId", "sourceId", "snapshotId", "jobId", "workerId"]) {
      const options = sealOptions([]);
      const storage = memoryStorage();
      await assert.rejects(seal({ ...options, ids: { ...options.ids, [key]: "../x" }, storage }), RangeError, key);
      assert.equal(storage.drafts.size, 0);
    }
  });

  it("does not begin where it was aborted before", async () => {
    const storage = memoryStorage();
    const work = seal({ ...sealOptions([]), storage, signal: AbortSignal.abort(canceled) });
    await assert.rejects(work, (error) => error === canceled);
  });

  it("does not commit what the storage gives back changed", async () => {
    const storage = memoryStorage();
    const forgetful: Storage = {
      ...storage,
      async begin(directory, attempt) {
        const draft = await storage.begin(directory, attempt);
        const open = async (name: string) => {
          const reader = await draft.open(name);
          const read = async (position: number, length: number) => {
            const bytes = Buffer.from(await reader.read(position, length));
            if (name === "catalogue.zst.enc") bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
            return bytes;
          };
          return { ...reader, read };
        };
        return { ...draft, open };
      },
    };
    await assert.rejects(seal({ ...sealOptions([file("a", "x")]), storage: forgetful }), (error) => {
      return error instanceof StorageError && error.code === "STORAGE_UNAVAILABLE";
    });
    assert.deepEqual([storage.files.size, storage.drafts.size], [0, 0]);
  });

  it("tells when the last entry is packed, before anything is committed, and fails with whoever is told", async () => {
    const storage = memoryStorage();
    const seen: number[] = [];
    await seal({
      ...sealOptions([file("a", "x")]),
      storage,
      onFinalizing: async () => void seen.push(storage.files.size, storage.drafts.size),
    });
    assert.deepEqual(seen, [0, 1]);
    const refused = memoryStorage();
    const work = seal({
      ...sealOptions([file("a", "x")]),
      storage: refused,
      onFinalizing: () => Promise.reject(canceled),
    });
    await assert.rejects(work, (error) => error === canceled);
    assert.deepEqual([refused.files.size, refused.drafts.size], [0, 0]);
  });

  it("reports its progress", async () => {
    const reports: number[] = [];
    async function* slow(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 4; index++) {
        await new Promise((resolve) => setTimeout(resolve, 60));
        yield Buffer.alloc(100);
      }
    }
    await sealTree([file("a", "", { size: 400, content: slow() })], {
      onProgress: ({ plainBytes }) => reports.push(plainBytes),
    });
    assert.ok(reports.length >= 1 && reports.every((bytes) => bytes > 0 && bytes <= 400), String(reports));
  });
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield noise(1_000_000);
}
