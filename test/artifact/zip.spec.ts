// What a ZIP makes of names and links that it cannot hold, and of very many entries: read back with unzip and with Python.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { Entry } from "#artifact/node";
import { zip } from "#artifact/node";
import { directory, file, hardlink, symlink } from "../restore/entries.ts";

const run = promisify(execFile);

async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

async function zipped(t: TestContext, entries: AsyncIterable<Entry>): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "xvault-zip-"));
  t.after(() => rm(scratch, { recursive: true, force: true }));
  const archive = join(scratch, "a.zip");
  await pipeline(zip(entries, "notes.txt"), createWriteStream(archive));
  return archive;
}

/** Name to content, in the archive's order; links as `-> target`. */
async function read(archive: string): Promise<Record<string, string>> {
  const script = `
import json, stat, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
  assert z.testzip() is None
  print(json.dumps({i.filename: ("-> " if stat.S_ISLNK(i.external_attr >> 16) else "") + z.read(i).decode() for i in z.infolist()}))`;
  return JSON.parse((await run("python3", ["-c", script, archive])).stdout);
}

describe("a ZIP", () => {
  it("has no notes where everything could be kept as it was", async (t) => {
    const entries = [directory("."), directory("a b"), file("a b/ü% 100%", "x"), symlink("l", "..\\a")];
    assert.deepEqual(await read(await zipped(t, each(entries))), { "a b/": "", "a b/ü% 100%": "x", l: "-> ..\\a" });
  });

  it("changes no name without saying so, and never gives two entries the same one", async (t) => {
    const archive = await zipped(
      t,
      each([
        file("dir/a\\b", "1"),
        file("dir/a%5Cb", "2"),
        file("12:30.log", "3"),
        file(Buffer.from("caf\u00e9/\xff", "latin1"), "4"),
        file(Buffer.concat([Buffer.from("größe/"), Buffer.from([0xfe])]), "5"),
      ]),
    );
    const { "notes.txt": notes = "", ...files } = await read(archive);
    assert.deepEqual(files, {
      "dir/a%5Cb": "1",
      "dir/a%5Cb~": "2",
      "12%3A30.log": "3",
      "caf%E9/%FF": "4",
      "größe/%FE": "5",
    });
    assert.deepEqual(notes.trim().split("\n").slice(2), [
      '"dir/a\\\\b" is stored as "dir/a%5Cb"',
      '"dir/a%5Cb" is stored as "dir/a%5Cb~"',
      '"12:30.log" is stored as "12%3A30.log"',
      '"caf\\\\xe9/\\\\xff" is stored as "caf%E9/%FF"',
      '"größe/\\\\xfe" is stored as "größe/%FE"',
    ]);
  });

  it("turns hard links into symbolic ones and leaves out links to names that it cannot say, both with a note", async (t) => {
    const entries = [file("a/first", "x"), hardlink("b/c/second", "a/first"), symlink("odd", Buffer.from([0xff]))];
    const { "notes.txt": notes = "", ...files } = await read(await zipped(t, each(entries)));
    assert.deepEqual(files, { "a/first": "x", "b/c/second": "-> ../../a/first" });
    assert.deepEqual(notes.trim().split("\n").slice(2), [
      '"b/c/second" was a hard link, and is a symbolic link to "a/first"',
      '"odd" left out: it is a symbolic link to a name that is not UTF-8',
    ]);
  });

  it("of more than 65,535 entries opens in unzip and in Python", async (t) => {
    async function* many() {
      for (let n = 0; n < 65_600; n++) yield directory(`d/${n}`);
    }
    const archive = await zipped(t, many());
    const count = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
    assert.equal((await run("python3", ["-c", count, archive])).stdout.trim(), "65600");
    assert.match((await run("unzip", ["-l", archive], { maxBuffer: 1 << 26 })).stdout, /65600 files\s*$/);
  });

  it("ends with the error of an entry that cannot be read", async (t) => {
    async function* failing() {
      yield Buffer.alloc(100_000);
      throw new Error("unreadable");
    }
    for (const size of [200_000, 2_000_000]) {
      const entries = each([file("a", "x"), { ...file("b", ""), size, content: failing() }]);
      await assert.rejects(zipped(t, entries), { message: "unreadable" });
    }
  });

  it("lets go of its entries when it is no longer wanted", async () => {
    let isReleased = false;
    async function* endless() {
      try {
        for (let n = 0; ; n++) yield file(`f${n}`, Buffer.alloc(1000, n));
      } finally {
        isReleased = true;
      }
    }
    for await (const _ of zip(endless(), "notes.txt")) break;
    assert.equal(isReleased, true);
  });
});
