// A directory that takes another's place: wherever that is interrupted, one of the two is there in full afterwards.
import assert from "node:assert/strict";
import { type FileHandle, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Draft, localDirectory, localStorage, type Storage } from "#artifact/node";
import { memoryStorage } from "./memory.ts";

const directory = "tenants/t1/sources/s1/snapshots/x";

interface Kept {
  readonly storage: Storage;
  /** Where the directory is, or null in memory. */
  readonly path: string | null;
}

async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "xvault-replace-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const kinds: Readonly<Record<string, (base: string) => Kept>> = {
  "a local file system": (base) => ({ storage: localStorage(base), path: join(base, directory) }),
  "a directory of its own": (base) => ({
    storage: localDirectory(join(base, "my artifact")),
    path: join(base, "my artifact"),
  }),
  memory: () => ({ storage: memoryStorage(), path: null }),
};

async function begin(storage: Storage, attempt: string, files: Readonly<Record<string, string>>): Promise<Draft> {
  const draft = await storage.begin(directory, attempt);
  for (const [name, text] of Object.entries(files)) {
    const upload = await draft.create(name);
    await upload.send(Buffer.from(text));
    await upload.finish();
  }
  return draft;
}

async function textOf(storage: Storage, name: string): Promise<string> {
  const file = await storage.open(directory, name);
  try {
    return Buffer.from(await file.read(0, file.size)).toString();
  } finally {
    await file.close();
  }
}

for (const [name, make] of Object.entries(kinds))
  describe(`replacing in ${name}`, () => {
    it("puts the draft in the place of all that was there", async (t) => {
      const { storage, path } = make(await scratch(t));
      await (await begin(storage, "1", { a: "old", b: "old" })).commit();
      const draft = await begin(storage, "2", { a: "new" });
      assert.equal(await textOf(storage, "a"), "old");
      await draft.replace();
      await draft.abort();
      assert.equal(await textOf(storage, "a"), "new");
      assert.equal(await storage.stat(directory, "b"), null);
      await assert.rejects(draft.replace(), { code: "STORAGE_UNAVAILABLE" });
      if (path !== null) assert.equal((await readdir(dirname(path))).length, 1);
    });

    it("is refused where nothing is there, and leaves the draft to be aborted", async (t) => {
      const { storage, path } = make(await scratch(t));
      const draft = await begin(storage, "1", { a: "new" });
      await assert.rejects(draft.replace(), { code: "NOT_STORED" });
      await draft.abort();
      assert.equal(await storage.stat(directory, "a"), null);
      if (path !== null) assert.deepEqual(await readdir(dirname(path)), []);
    });
  });

/** What a process that was killed while it replaced can leave. `removed` is the old directory on its way out. */
const interruptions: readonly { readonly left: readonly State[]; readonly remains: string }[] = [
  { left: ["target:old", "replacing:new"], remains: "new" },
  { left: ["removed:old", "replacing:new"], remains: "new" },
  { left: ["replacing:new"], remains: "new" },
  { left: ["target:new", "removed:old"], remains: "new" },
  { left: ["target:old", "replacing:new", "removed:older"], remains: "new" },
  { left: ["target:old", "removed:older"], remains: "old" },
];

type State = `${"target" | "replacing" | "removed"}:${string}`;

async function leave(path: string, states: readonly State[]): Promise<void> {
  for (const state of states) {
    const [place = "", content = ""] = state.split(":");
    const at = place === "target" ? path : join(dirname(path), `.${place}-x`);
    await mkdir(at, { recursive: true });
    await writeFile(join(at, "a"), content);
  }
}

const onDisk: Readonly<Record<string, (base: string) => Kept & { readonly path: string }>> = {
  "a local file system": (base) => ({ storage: localStorage(base), path: join(base, directory) }),
  "a directory of its own": (base) => ({ storage: localDirectory(join(base, "x")), path: join(base, "x") }),
};

for (const [name, make] of Object.entries(onDisk))
  describe(`a replacement in ${name}`, () => {
    for (const { left, remains } of interruptions) {
      it(`that left ${left.join(", ")} is finished by a sweep`, async (t) => {
        const { storage, path } = make(await scratch(t));
        await leave(path, left);
        await storage.sweep();
        await storage.sweep();
        assert.equal(await readFile(join(path, "a"), "utf8"), remains);
        assert.deepEqual(await readdir(dirname(path)), ["x"]);
      });

      it(`that left ${left.join(", ")} does not keep another one from being made`, async (t) => {
        const { storage, path } = make(await scratch(t));
        await leave(path, left);
        await (await begin(storage, "3", { a: "newest" })).replace();
        assert.equal(await readFile(join(path, "a"), "utf8"), "newest");
        assert.deepEqual(await readdir(dirname(path)), ["x"]);
      });
    }

    it("that could not be made durable is taken back, and made when it is tried again", async (t) => {
      const { storage, path } = make(await scratch(t));
      await (await begin(storage, "1", { a: "old" })).commit();
      const draft = await begin(storage, "2", { a: "new" });
      // The first makes the draft's names durable, the second their new place.
      for (const failing of [1, 2]) {
        const restore = await failSync(t, failing);
        await assert.rejects(draft.replace(), { code: "STORAGE_UNAVAILABLE" }, `sync ${failing}`);
        restore();
        assert.equal(await readFile(join(path, "a"), "utf8"), "old");
      }
      await draft.replace();
      assert.equal(await readFile(join(path, "a"), "utf8"), "new");
      assert.deepEqual(await readdir(dirname(path)), ["x"]);
    });

    it("that failed when the old directory was gone goes on where it stopped", async (t) => {
      const { storage, path } = make(await scratch(t));
      await (await begin(storage, "1", { a: "old" })).commit();
      const draft = await begin(storage, "2", { a: "new" });
      const restore = await failSync(t, 3);
      await assert.rejects(draft.replace(), { code: "STORAGE_UNAVAILABLE" });
      restore();
      await draft.abort();
      assert.equal(await readFile(join(path, "a"), "utf8"), "new");
      await draft.replace();
      assert.equal(await readFile(join(path, "a"), "utf8"), "new");
      assert.deepEqual(await readdir(dirname(path)), ["x"]);
    });
  });

describe("a sweep", () => {
  it("leaves a replacement alone whose draft is alive", async (t) => {
    const { storage, path } = make("a local file system", await scratch(t));
    await leave(path, ["target:old", "replacing:new"]);
    await storage.sweep(new Set([`${directory}:2`]));
    assert.equal(await readFile(join(path, "a"), "utf8"), "old");
    assert.deepEqual((await readdir(dirname(path))).sort(), [".replacing-x", "x"]);
  });
});

describe("a removal", () => {
  it("takes an unfinished replacement along, which would come back otherwise", async (t) => {
    const { storage, path } = make("a local file system", await scratch(t));
    await leave(path, ["target:old", "replacing:new", "removed:older"]);
    await storage.remove(directory);
    await storage.sweep();
    assert.deepEqual(await readdir(dirname(path)), []);
  });
});

describe("a directory of its own", () => {
  it("that is a link is replaced where it leads to", async (t) => {
    const base = await scratch(t);
    await mkdir(join(base, "far"));
    await symlink("far/real", join(base, "near"));
    await (await begin(localDirectory(join(base, "far", "real")), "1", { a: "old" })).commit();
    await (await begin(localDirectory(join(base, "near")), "2", { a: "new" })).replace();
    assert.equal(await readFile(join(base, "far", "real", "a"), "utf8"), "new");
    assert.deepEqual(await readdir(join(base, "far")), ["real"]);
    assert.deepEqual(await readdir(base), ["far", "near"]);
  });
});

function make(kind: keyof typeof onDisk, base: string): Kept & { readonly path: string } {
  const made = onDisk[kind]?.(base);
  if (!made) throw new TypeError(kind);
  return made;
}

/** Lets the `nth` fsync from now on fail. Gives back what ends it. */
async function failSync(t: TestContext, nth: number): Promise<() => void> {
  const handle = await open("/dev/null");
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const { sync } = prototype;
  let calls = 0;
  const mocked = t.mock.method(prototype, "sync", async function (this: FileHandle) {
    calls += 1;
    if (calls === nth) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO", syscall: "fsync" });
    await Reflect.apply(sync, this, []);
  });
  return () => mocked.mock.restore();
}
