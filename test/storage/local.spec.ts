// The storage in a local file system: the contract, and what only a file system can get wrong.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { localStorage, type Storage, StorageError } from "#artifact/node";
import { describeStorage } from "./contract.ts";
import { memoryStorage } from "./memory.ts";
import { namesOf } from "./stored.ts";

const directory = "tenants/t1/sources/s1/snapshots/n1";

async function openLocal(): Promise<{ storage: Storage; base: string } & AsyncDisposable> {
  const base = await mkdtemp(join(tmpdir(), "xvault-local-"));
  const dispose = () => rm(base, { recursive: true, force: true });
  return { storage: localStorage(join(base, "store")), base: join(base, "store"), [Symbol.asyncDispose]: dispose };
}

describeStorage("a local file system", openLocal);
describeStorage("memory", async () => ({ storage: memoryStorage(), [Symbol.asyncDispose]: async () => {} }));

describe("a local file system", () => {
  it("lets nobody but its owner read what is stored", async () => {
    await using local = await openLocal();
    await fill(local.storage, 1);
    assert.equal((await stat(join(local.base, directory))).mode & 0o777, 0o700);
    assert.equal((await stat(join(local.base, directory, "a"))).mode & 0o777, 0o600);
  });

  it("does not follow a link that leads out of its base", async () => {
    await using local = await openLocal();
    const outside = await mkdtemp(join(tmpdir(), "xvault-outside-"));
    try {
      await mkdir(join(outside, "n1"));
      await writeFile(join(outside, "n1", "a"), "secret");
      await mkdir(join(local.base, "tenants/t1/sources/s1"), { recursive: true });
      await symlink(outside, join(local.base, "tenants/t1/sources/s1/snapshots"));
      await assert.rejects(local.storage.begin(directory, "1"), StorageError);
      await assert.rejects(local.storage.open(directory, "a"), StorageError);
      await assert.rejects(local.storage.remove(directory), StorageError);
      assert.deepEqual(await namesOf(local.storage), []);
      assert.deepEqual(await readdir(outside), ["n1"]);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  it("does not take a stray file for a snapshot's directory", async () => {
    await using local = await openLocal();
    await fill(local.storage, 1);
    await writeFile(join(local.base, "tenants", "stray"), "");
    await writeFile(join(local.base, "stray"), "");
    assert.deepEqual(await namesOf(local.storage), [directory]);
  });

  it("sweeps a removal that was interrupted", async () => {
    await using local = await openLocal();
    await fill(local.storage, 1);
    await mkdir(join(local.base, directory, "..", ".removed-n0"));
    await local.storage.sweep();
    assert.deepEqual(await readdir(join(local.base, directory, "..")), ["n1"]);
  });

  it("takes a part again in its place where only some of it was written", async (test) => {
    await using local = await openLocal();
    const draft = await local.storage.begin(directory, "1");
    const upload = await draft.create("a");
    await upload.send(Buffer.from("first "));
    const { write } = await fileHandle();
    const half = test.mock.method(await fileHandle(), "write", async function (this: FileHandle, ...call: unknown[]) {
      await Reflect.apply(write, this, call.with(2, 3));
      throw failedCall("write");
    });
    await assert.rejects(upload.send(Buffer.from("second")), { code: "STORAGE_UNAVAILABLE" });
    half.mock.restore();
    await upload.send(Buffer.from("second"));
    await upload.finish();
    await draft.commit();
    assert.equal(await readFile(join(local.base, directory, "a"), "utf8"), "first second");
  });

  it("never takes a file for durable that failed to become so once", async (test) => {
    await using local = await openLocal();
    const draft = await local.storage.begin(directory, "1");
    const upload = await draft.create("a");
    await upload.send(Buffer.from("hello"));
    const failing = test.mock.method(await fileHandle(), "sync", async () => {
      throw failedCall("fsync");
    });
    await assert.rejects(upload.finish(), { code: "STORAGE_UNAVAILABLE" });
    failing.mock.restore();
    await assert.rejects(upload.finish(), { code: "NOT_STORED" });
    await draft.abort();
    assert.deepEqual(await namesOf(local.storage), []);
  });

  it("calls a full disk DISK_FULL, leaves nothing behind and goes on", {
    skip: process.getuid?.() !== 0 && "mounting needs root",
  }, async () => {
    await using local = await openLocal();
    await mkdir(local.base);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", local.base]);
    try {
      await assert.rejects(fill(local.storage, 4_000_000), (error) => {
        return error instanceof StorageError && error.code === "DISK_FULL";
      });
      assert.deepEqual(await readdir(join(local.base, directory, "..")), []);
      await fill(local.storage, 1000);
      assert.deepEqual(await local.storage.stat(directory, "a"), { size: 1000 });
    } finally {
      execFileSync("umount", [local.base]);
    }
  });
});

/** What every open file has its methods from. */
async function fileHandle(): Promise<FileHandle> {
  await using handle = await open("/dev/null");
  return Object.getPrototypeOf(handle);
}

function failedCall(syscall: string): Error {
  return Object.assign(new Error("EIO: i/o error"), { code: "EIO", syscall });
}

async function fill(storage: Storage, bytes: number): Promise<void> {
  const draft = await storage.begin(directory, "1");
  try {
    const upload = await draft.create("a");
    await upload.send(Buffer.alloc(bytes));
    await upload.finish();
    await draft.commit();
  } catch (error) {
    await draft.abort();
    throw error;
  }
}
