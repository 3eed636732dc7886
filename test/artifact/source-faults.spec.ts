// Files that change, vanish or are refused while they are read: the backup goes on, and says so.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { type Entry, EntryInterruptedError, verify, type Warning } from "#artifact/node";
import { collect, directory, file, folder, identity, link, piecesOf, readEntries, sealTree } from "./sealing.ts";

describe("a file that changes while it is read", () => {
  it("is filled up with zeros where it became shorter", async () => {
    const sealed = await sealTree([file("short", "abc", { size: 1000 }), file("next", "intact")]);
    await using artifact = await sealed.open();
    const [short, next] = await readEntries(artifact);
    const stored = Buffer.concat([Buffer.from("abc"), Buffer.alloc(997)]);
    assert.ok(short?.content?.equals(stored));
    assert.equal(next?.content?.toString(), "intact");
    assert.deepEqual(codes(sealed.result.warnings), ["CHANGED_WHILE_READ short"]);
    assert.equal(sealed.result.partial, true);
    assert.equal((await collect(artifact.catalogue()))[0]?.sha256, hash("sha256", stored));
  });

  it("is cut where it became longer, and its stream is ended", async () => {
    const content = watched(["abc", "def", "ghi"]);
    const sealed = await sealTree([file("long", "", { size: 4, content }), file("next", "intact")]);
    await using artifact = await sealed.open();
    const [long, next] = await readEntries(artifact);
    assert.equal(long?.content?.toString(), "abcd");
    assert.equal(next?.content?.toString(), "intact");
    assert.deepEqual(codes(sealed.result.warnings), ["CHANGED_WHILE_READ long"]);
    assert.equal(content.ended, true);
  });

  it("is cut even where it was announced as empty", async () => {
    const sealed = await sealTree([file("proc", "content", { size: 0 })]);
    assert.deepEqual(codes(sealed.result.warnings), ["CHANGED_WHILE_READ proc"]);
    assert.equal(sealed.result.plainBytes, 0);
  });

  it("keeps what was read of it where reading was interrupted", async () => {
    const sealed = await sealTree([
      file("known", "", { size: 10, content: interrupted("abc") }),
      file("unknown", "", { size: null, content: interrupted("abc") }),
    ]);
    await using artifact = await sealed.open();
    const read = await readEntries(artifact);
    assert.deepEqual(
      read.map(({ content }) => content?.toString()),
      ["abc\0\0\0\0\0\0\0", "abc"],
    );
    assert.deepEqual(codes(sealed.result.warnings), ["UNREADABLE known", "UNREADABLE unknown"]);
    assert.equal((await verify({ storage: sealed.storage, directory, identities: [identity] })).depth, "CONTENTS");
  });
});

describe("an entry whose name nobody may extract", () => {
  const refused: readonly [name: string, entry: Entry][] = [
    ["absolute", file("/etc/passwd", "x")],
    ["upwards", file("a/../../x", "x")],
    ["a dot", file("./x", "x")],
    ["an empty part", file("a//b", "x")],
    ["a slash at its end", folder("a/")],
    ["a NUL", file("a\0b", "x")],
    ["nothing at all", file("", "x")],
    ["too long a name", file("x".repeat(32_769), "x")],
    ["a link to nowhere", link("l", "")],
    ["a hard link upwards", link("h", "../x", "hardlink")],
    ["an absolute hard link", link("h", "/etc/passwd", "hardlink")],
  ];
  for (const [name, entry] of refused)
    it(`is left out with a warning: ${name}`, async () => {
      const sealed = await sealTree([entry, file("next", "intact")]);
      await using artifact = await sealed.open();
      assert.deepEqual(
        (await readEntries(artifact)).map(({ path }) => path),
        ["next"],
      );
      assert.deepEqual(
        sealed.result.warnings.map(({ code }) => code),
        ["NAME_REFUSED"],
      );
      assert.equal(sealed.result.partial, true);
    });

  it("is left out where it leads through a link that came before, by any of its names", async () => {
    const sealed = await sealTree([
      link("out", "/etc"),
      file("out/passwd", "x"),
      file("out", "x"),
      link("again", "out", "hardlink"),
      file("again/passwd", "x"),
      link("inner", "out/passwd", "hardlink"),
      file("outer", "kept"),
    ]);
    await using artifact = await sealed.open();
    assert.deepEqual(
      (await readEntries(artifact)).map(({ path }) => path),
      ["out", "again", "outer"],
    );
    assert.equal(sealed.result.warnings.length, 4);
  });
});

describe("warnings", () => {
  it("of the source and of the writer go into the catalogue, with names; into the manifest only their numbers", async () => {
    const warnings: Warning[] = [{ code: "SPECIAL_SKIPPED", path: "secret-fifo", message: "A FIFO is not backed up." }];
    const sealed = await sealTree([file("secret-name", "x", { size: 2 }), file("secret-next", "y", { size: 2 })], {
      warnings,
    });
    await using artifact = await sealed.open();
    assert.deepEqual(await collect(artifact.warnings()), sealed.result.warnings);
    assert.equal(sealed.result.warnings, warnings);
    assert.deepEqual(artifact.manifest.warnings, { SPECIAL_SKIPPED: 1, CHANGED_WHILE_READ: 2 });
    for (const [name, bytes] of sealed.storage.files) assert.ok(!bytes.includes("secret"), name);
  });

  it("of special files alone leave a snapshot complete", async () => {
    const warnings: Warning[] = [{ code: "SPECIAL_SKIPPED", path: "fifo", message: "A FIFO is not backed up." }];
    assert.equal((await sealTree([file("a", "x")], { warnings })).result.partial, false);
    const vanished: Warning[] = [{ code: "VANISHED", path: "gone", message: "It was gone when it was to be read." }];
    assert.equal((await sealTree([file("a", "x")], { warnings: vanished })).result.partial, true);
  });

  it("print bytes that are no UTF-8 as such", async () => {
    const sealed = await sealTree([file(new Uint8Array([0x61, 0xff, 0xc3, 0xa9, 0xc3]), "x", { size: 2 })]);
    assert.equal(sealed.result.warnings[0]?.path, "a\\xffé\\xc3");
  });
});

function codes(warnings: readonly Warning[]): string[] {
  return warnings.map(({ code, path }) => `${code} ${path}`);
}

function watched(pieces: string[]): AsyncIterable<Uint8Array> & { ended: boolean } {
  const content = {
    ended: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const piece of pieces) yield Buffer.from(piece);
      } finally {
        content.ended = true;
      }
    },
  };
  return content;
}

async function* interrupted(start: string): AsyncGenerator<Uint8Array> {
  yield* piecesOf([Buffer.from(start)]);
  throw new EntryInterruptedError("the connection to this file was lost");
}
