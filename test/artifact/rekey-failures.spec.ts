// What keeps an artifact from getting other keys costs nothing: the old one stays as it was, and no draft is left.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Draft, fileNames, rekey, type Storage, StorageError } from "#artifact/node";
import { type MemoryStorage, memoryStorage } from "../storage/memory.ts";
import { isRefusal } from "./refusing.ts";
import { copyOf, entries, optionsFor } from "./rekeying.ts";
import { directory, identity, recipient, sealTree, strangerIdentity } from "./sealing.ts";

describe("giving an artifact another key", () => {
  it("is refused for one that is damaged anywhere, which stays as it was", async () => {
    const { storage: whole, result } = await sealTree(entries());
    const places: [string, number][] = [];
    for (const { name, headerBytes, storedBytes } of [result.manifest.artifact, result.manifest.catalogue])
      for (const position of [0, headerBytes - 10, headerBytes, headerBytes + 40, storedBytes - 1])
        places.push([name, position]);
    places.push([fileNames.manifest, 300], [fileNames.meta, 30]);
    for (const [name, position] of places) {
      const storage = copyOf(whole);
      const bytes = storage.files.get(`${directory}/${name}`);
      bytes?.writeUInt8((bytes[position] ?? 0) ^ 1, position);
      const damaged = copyOf(storage).files;
      await assert.rejects(rekey(optionsFor(storage)), isRefusal("ARTIFACT_CORRUPT"), `${name} at ${position}`);
      assert.deepEqual(storage.files, damaged);
      assert.equal(storage.drafts.size, 0);
    }
  });

  it("is refused for one that was cut, lengthened or robbed of one of its files", async () => {
    const { storage: whole } = await sealTree(entries());
    const changes: ((bytes: Buffer) => Buffer | null)[] = [
      (bytes) => bytes.subarray(0, -1),
      (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
      (bytes) => bytes.subarray(0, 10),
      () => Buffer.alloc(0),
      () => null,
    ];
    for (const name of [fileNames.artifact, fileNames.catalogue])
      for (const change of changes) {
        const storage = copyOf(whole);
        const changed = change(storage.files.get(`${directory}/${name}`) ?? Buffer.alloc(0));
        if (changed) storage.files.set(`${directory}/${name}`, changed);
        else storage.files.delete(`${directory}/${name}`);
        const damaged = copyOf(storage).files;
        await assert.rejects(rekey(optionsFor(storage)), isRefusal("ARTIFACT_CORRUPT"), `${name} ${change}`);
        assert.deepEqual([storage.files, storage.drafts.size], [damaged, 0]);
      }
  });

  it("is refused to a key that does not open it, and to none", async () => {
    const { storage } = await sealTree(entries());
    const before = copyOf(storage).files;
    for (const identities of [[strangerIdentity], [], ["AGE-SECRET-KEY-1"]])
      await assert.rejects(rekey(optionsFor(storage, { identities })), isRefusal("KEY_UNAVAILABLE"));
    assert.deepEqual([storage.files, storage.drafts.size], [before, 0]);
  });

  it("is refused for a recipient that is none, and for none at all", async () => {
    const { storage } = await sealTree(entries());
    const before = copyOf(storage).files;
    for (const recipients of [[], ["age1nonsense"], [recipient, ""], [identity], [`${recipient}x`]])
      for (const keep of [true, false])
        await assert.rejects(rekey(optionsFor(storage, { recipients, keep })), isRefusal("KEY_UNAVAILABLE"));
    assert.deepEqual([storage.files, storage.drafts.size], [before, 0]);
  });

  it("is refused for more keys than a header holds", async () => {
    const { storage } = await sealTree(entries());
    const before = copyOf(storage).files;
    const recipients = new Array<string>(1000).fill(recipient);
    await assert.rejects(rekey(optionsFor(storage, { recipients })), isRefusal("LIMIT_EXCEEDED"));
    assert.deepEqual([storage.files, storage.drafts.size], [before, 0]);
  });

  it("where nothing is stored says so", async () => {
    await assert.rejects(rekey(optionsFor(memoryStorage())), { code: "NOT_STORED" });
  });

  it("costs nothing when it is aborted, at any of its steps", async () => {
    const canceled = new Error("canceled");
    const { storage: whole } = await sealTree(entries());
    const before = copyOf(whole).files;
    const steps = await countSteps(whole);
    assert.ok(steps > 20, `${steps} steps`);
    for (let step = 1; step < steps; step++) {
      const storage = copyOf(whole);
      const controller = new AbortController();
      const stepping = steppingStorage(storage, (at) => at === step && controller.abort(canceled));
      await assert.rejects(
        rekey(optionsFor(stepping, { signal: controller.signal })),
        (error) => error === canceled,
        `step ${step}`,
      );
      assert.deepEqual(storage.files, before, `step ${step}`);
      assert.equal(storage.drafts.size, 0, `step ${step}`);
    }
  });

  it("costs nothing when the storage fails, at any of its steps, and tells that failure", async () => {
    const full = new StorageError("DISK_FULL", "The storage has no room left.");
    const { storage: whole } = await sealTree(entries());
    const before = copyOf(whole).files;
    const steps = await countSteps(whole);
    for (let step = 1; step <= steps; step++) {
      const storage = copyOf(whole);
      const failing = steppingStorage(storage, (at) => {
        if (at === step) throw full;
      });
      await assert.rejects(rekey(optionsFor(failing)), (error) => error === full, `step ${step}`);
      assert.deepEqual(storage.files, before, `step ${step}`);
      assert.equal(storage.drafts.size, 0, `step ${step}`);
    }
  });

  it("is refused where the storage gives back other bytes than it was given", async () => {
    const { storage: whole } = await sealTree(entries());
    const before = copyOf(whole).files;
    const storage = copyOf(whole);
    const flipping = steppingStorage(
      storage,
      () => {},
      (part) => {
        const flipped = Buffer.from(part);
        flipped.writeUInt8(flipped.readUInt8(0) ^ 1, 0);
        return flipped;
      },
    );
    await assert.rejects(rekey(optionsFor(flipping)), { code: "STORAGE_UNAVAILABLE" });
    assert.deepEqual([storage.files, storage.drafts.size], [before, 0]);
  });

  it("tells how far it is, up to all that is stored", async () => {
    const sealed = await sealTree(entries());
    const { artifact, catalogue } = sealed.result.manifest;
    const told: number[] = [];
    const totals = new Set<number>();
    const onProgress = (bytes: number, total: number) => {
      told.push(bytes);
      totals.add(total);
    };
    await rekey(optionsFor(sealed.storage, { onProgress }));
    assert.deepEqual([...totals], [artifact.storedBytes + catalogue.storedBytes]);
    assert.equal(told.at(-1), artifact.storedBytes + catalogue.storedBytes);
    assert.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
  });
});

/** How often a whole rekeying passes a step. */
async function countSteps(whole: MemoryStorage): Promise<number> {
  let steps = 0;
  const counting = steppingStorage(copyOf(whole), (at) => {
    steps = at;
  });
  await rekey(optionsFor(counting));
  return steps;
}

/** Calls `onStep` with a number in front of every call of the storage; what that throws is the storage's failure. */
function steppingStorage(
  storage: MemoryStorage,
  onStep: (at: number) => unknown,
  change = (part: Uint8Array) => part,
): Storage {
  let at = 0;
  const step = <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      at += 1;
      onStep(at);
      return call(...args);
    };
  };
  const reader = async (opening: Promise<Awaited<ReturnType<Storage["open"]>>>) => {
    const file = await opening;
    return { ...file, read: step(file.read) };
  };
  return {
    ...storage,
    open: step((name, inside) => reader(storage.open(name, inside))),
    begin: step(async (name, attempt) => {
      const draft = await storage.begin(name, attempt);
      const stepped: Draft = {
        create: step(async (inside: string) => {
          const upload = await draft.create(inside);
          return { send: step((part: Uint8Array) => upload.send(change(part))), finish: step(() => upload.finish()) };
        }),
        open: step((inside: string) => reader(draft.open(inside))),
        commit: () => draft.commit(),
        replace: step(() => draft.replace()),
        abort: () => draft.abort(),
      };
      return stepped;
    }),
  };
}
