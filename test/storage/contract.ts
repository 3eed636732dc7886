// What every storage promises: one suite, run against each of them.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Storage, StorageError } from "#artifact/node";
import { namesOf, readAll, text, write } from "./stored.ts";

export interface OpenedStorage extends AsyncDisposable {
  readonly storage: Storage;
}

const directory = "tenants/t_1/sources/s-1/snapshots/n1";
const neighbour = "tenants/t_1/sources/s-1/snapshots/n2";

/** `open` gives an empty storage, which every test has for itself. */
export function describeStorage(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`${name} as a storage`, () => {
    let opened: OpenedStorage;
    let storage: Storage;
    beforeEach(async () => {
      opened = await open();
      storage = opened.storage;
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    const commit = async (target: string, files: Record<string, string>, attempt = "1") => {
      const draft = await storage.begin(target, attempt);
      for (const [file, text] of Object.entries(files)) await write(draft, file, text);
      await draft.commit();
    };
    const list = async () => (await namesOf(storage)).sort();

    it("gives back what was committed, whole and in ranges", async () => {
      await commit(directory, { "a.bin": "hello world", "b.json": "" });
      const file = await storage.open(directory, "a.bin");
      assert.equal(file.size, 11);
      assert.equal(text(await file.read(0, 11)), "hello world");
      assert.equal(text(await file.read(6, 5)), "world");
      assert.equal(text(await file.read(11, 0)), "");
      await file.close();
      await file.close();
      assert.deepEqual(await storage.stat(directory, "a.bin"), { size: 11 });
      assert.deepEqual(await storage.stat(directory, "b.json"), { size: 0 });
      assert.deepEqual(await list(), [directory]);
    });

    it("keeps the parts of a file in the order they were sent, and lets their buffer be re-used", async () => {
      const draft = await storage.begin(directory, "1");
      const upload = await draft.create("a.bin");
      const part = Buffer.alloc(70_000);
      for (let index = 0; index < 5; index++) await upload.send(part.fill(index));
      await upload.finish();
      const file = await draft.open("a.bin");
      assert.equal(file.size, 350_000);
      for (let index = 0; index < 5; index++)
        assert.deepEqual(new Uint8Array(await file.read(index * 70_000, 70_000)), new Uint8Array(70_000).fill(index));
      await file.close();
      await draft.commit();
    });

    it("takes several files of a draft at a time", async () => {
      const draft = await storage.begin(directory, "1");
      const [first, second] = [await draft.create("a"), await draft.create("b")];
      await Promise.all([first.send(Buffer.from("1")), second.send(Buffer.from("2"))]);
      await first.finish();
      await second.finish();
      await draft.commit();
      assert.equal(await readAll(storage, directory, "a"), "1");
      assert.equal(await readAll(storage, directory, "b"), "2");
    });

    it("shows nothing of a draft before it is committed", async () => {
      const draft = await storage.begin(directory, "1");
      await write(draft, "a", "hello");
      assert.equal(await storage.stat(directory, "a"), null);
      await assert.rejects(storage.open(directory, "a"), notStored);
      assert.deepEqual(await list(), []);
      await draft.commit();
      assert.deepEqual(await list(), [directory]);
    });

    it("leaves nothing of an aborted draft, at any point and however often it is aborted", async () => {
      const empty = await storage.begin(directory, "1");
      await empty.abort();
      const half = await storage.begin(directory, "2");
      const upload = await half.create("a");
      await upload.send(Buffer.from("half"));
      await half.abort();
      await half.abort();
      await assert.rejects(upload.send(Buffer.from("more")));
      await assert.rejects(half.create("b"));
      await assert.rejects(half.commit());
      assert.deepEqual(await list(), []);
      assert.equal(await storage.sweep(), 0);
    });

    it("does not take back what was committed when its draft is aborted afterwards", async () => {
      const draft = await storage.begin(directory, "1");
      await write(draft, "a", "kept");
      await draft.commit();
      await draft.abort();
      assert.equal(await readAll(storage, directory, "a"), "kept");
    });

    it("refuses a second commit of the same directory and keeps the first", async () => {
      const late = await storage.begin(directory, "2");
      await write(late, "a", "second");
      await commit(directory, { a: "first" });
      await assert.rejects(late.commit(), StorageError);
      await late.abort();
      assert.equal(await readAll(storage, directory, "a"), "first");
    });

    it("replaces a committed directory by a draft, with all it holds", async () => {
      await commit(directory, { a: "old", b: "old" });
      await commit(neighbour, { a: "kept" });
      const draft = await storage.begin(directory, "2");
      await write(draft, "a", "new");
      assert.equal(await readAll(storage, directory, "a"), "old");
      await draft.replace();
      await draft.abort();
      assert.equal(await readAll(storage, directory, "a"), "new");
      assert.equal(await storage.stat(directory, "b"), null);
      assert.equal(await readAll(storage, neighbour, "a"), "kept");
      assert.deepEqual(await list(), [directory, neighbour]);
      assert.equal(await storage.sweep(), 0);
    });

    it("replaces nothing where there is nothing, or where the draft was aborted", async () => {
      const early = await storage.begin(directory, "1");
      await write(early, "a", "new");
      await assert.rejects(early.replace(), notStored);
      await early.abort();
      await commit(directory, { a: "old" });
      const aborted = await storage.begin(directory, "2");
      await write(aborted, "a", "new");
      await aborted.abort();
      await assert.rejects(aborted.replace(), StorageError);
      assert.equal(await readAll(storage, directory, "a"), "old");
      assert.deepEqual(await list(), [directory]);
    });

    it("keeps the drafts of two attempts apart", async () => {
      const first = await storage.begin(directory, "1");
      const second = await storage.begin(directory, "2");
      await write(first, "a", "first");
      await write(second, "a", "second");
      await first.abort();
      await second.commit();
      assert.equal(await readAll(storage, directory, "a"), "second");
    });

    it("keeps drafts apart whose ids and attempts read the same in a row", async () => {
      const [first, second] = [await storage.begin("n/a", "b-c"), await storage.begin("n/a-b", "c")];
      await write(first, "a", "first");
      await write(second, "a", "second");
      await first.commit();
      await second.commit();
      assert.equal(await readAll(storage, "n/a", "a"), "first");
      assert.equal(await readAll(storage, "n/a-b", "a"), "second");
    });

    it("sweeps the drafts that nobody owns, and no others", async () => {
      const dead = await storage.begin(directory, "1");
      await write(dead, "a", "dead");
      const live = await storage.begin(neighbour, "1");
      await write(live, "a", "live");
      assert.equal(await storage.sweep(new Set([`${neighbour}:1`])), 1);
      await live.commit();
      assert.deepEqual(await list(), [neighbour]);
      await dead.abort();
      assert.equal(await storage.sweep(), 0);
    });

    it("removes a directory with all it holds, and nothing else", async () => {
      await commit(directory, { a: "1", b: "2" });
      await commit(neighbour, { a: "3" });
      await storage.remove(directory);
      await storage.remove(directory);
      assert.deepEqual(await list(), [neighbour]);
      assert.equal(await storage.stat(directory, "a"), null);
      await commit(directory, { a: "again" });
      assert.equal(await readAll(storage, directory, "a"), "again");
    });

    it("says what is not stored", async () => {
      await storage.remove(directory);
      assert.equal(await storage.stat(directory, "a"), null);
      await assert.rejects(storage.open(directory, "a"), notStored);
      await commit(directory, { a: "short" });
      await assert.rejects(storage.open(directory, "b"), notStored);
      const file = await storage.open(directory, "a");
      await assert.rejects(file.read(3, 3), StorageError);
      await file.close();
    });

    it("refuses directories, attempts and names that are more than they should be", async () => {
      for (const bad of [
        "../up",
        "a/../b",
        "/a",
        "a//b",
        "a/",
        "",
        "a/.",
        "a/%2e%2e",
        "a/é",
        "a b",
        `a/${"x".repeat(65)}`,
      ]) {
        await assert.rejects(storage.begin(bad, "1"), RangeError, bad);
        await assert.rejects(storage.open(bad, "a"), RangeError, bad);
        await assert.rejects(storage.remove(bad), RangeError, bad);
      }
      await assert.rejects(storage.begin(directory, "../1"), RangeError);
      await commit(directory, { a: "1" });
      for (const bad of ["../a", "a/b", "", ".", "..", "a\0b"]) {
        await assert.rejects(storage.open(directory, bad), RangeError, bad);
        await assert.rejects(storage.stat(directory, bad), RangeError, bad);
      }
      const draft = await storage.begin(neighbour, "1");
      await assert.rejects(draft.create("../a"), RangeError);
      await draft.abort();
    });

    it("ends a read that was called off", async () => {
      await commit(directory, { a: "hello" });
      const file = await storage.open(directory, "a");
      await assert.rejects(file.read(0, 5, AbortSignal.abort(new Error("called off"))), /called off/);
      await file.close();
    });

    it("tells how much room is left, where that has a meaning", async () => {
      const free = await storage.freeBytes();
      assert.ok(free === null || free > 0);
    });
  });
}

function notStored(error: unknown): boolean {
  return error instanceof StorageError && error.code === "NOT_STORED";
}
