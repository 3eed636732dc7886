// What goes into an artifact comes out of it: names, links, contents of every length.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdtemp, readdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type EntryPath, verify } from "#artifact/node";
import { collect, directory, file, folder, identity, link, noise, readEntries, sealTree } from "./sealing.ts";

const oddNames = [
  "-rf",
  "--checkpoint-action=exec=sh",
  "a\nb",
  "tab\there",
  "trailing space ",
  '"quoted" \\ $(id) `id`',
  "déjà-vu",
  "de\u0301ja\u0300-vu",
  "文件 🎉 שלום",
  "\ufeffbom",
  "...",
  ".hidden",
  "x".repeat(255),
  "é".repeat(127),
];
const deepPath = Array.from({ length: 45 }, (_, depth) => `level-${depth}`).join("/");
const invalidUtf8 = new Uint8Array([0x66, 0xff, 0xfe, 0x2f, 0xc3, 0x28]);

describe("an artifact", () => {
  it("gives names of every kind back byte for byte", async () => {
    const entries = [...oddNames, deepPath, `${"d".repeat(254)}/${"f".repeat(254)}`].map((name) => file(name, name));
    entries.push(file(invalidUtf8, "1"), file(new Uint8Array(300).fill(0xe9), "2"));
    const sealed = await sealTree(entries);
    await using artifact = await sealed.open();
    const read = await readEntries(artifact);
    assert.deepEqual(
      read.map(({ path }) => path),
      entries.map(({ path }) => path),
    );
    assert.deepEqual(sealed.result.warnings, []);
  });

  it("gives links back as links, wherever they point", async () => {
    const entries = [
      folder("."),
      folder("site"),
      file("site/index.html", "hello"),
      link("site/current", "index.html"),
      link("site/outside", "/etc/passwd"),
      link("site/up", "../../../.."),
      link("site/self", "self"),
      link("site/long", "t".repeat(300)),
      link("site/bytes", invalidUtf8),
      link("site/copy.html", "site/index.html", "hardlink"),
      link("site/copy-of-link", "site/current", "hardlink"),
    ];
    await using artifact = await (await sealTree(entries)).open();
    const read = await readEntries(artifact);
    assert.deepEqual(
      read.map(({ path, kind, linkTarget }) => ({ path, kind, linkTarget })),
      entries.map(({ path, kind, linkTarget }) => ({ path, kind, linkTarget })),
    );
    assert.deepEqual(artifact.manifest.counts, { files: 1, directories: 2, symlinks: 6, hardlinks: 2 });
  });

  it("keeps modes, owners and times, before 1970 and past the numbers that a tar header holds", async () => {
    const facts = [
      { mode: 0o7777, mtimeMs: 1_700_000_000_123, uid: 0, gid: 65_534 },
      { mode: 0, mtimeMs: -1500, uid: 2_097_152, gid: 4_294_967_294 },
      { mode: 0o600, mtimeMs: -1, uid: 1, gid: 1 },
      { mode: 0o600, mtimeMs: 9_000_000_000_000, uid: 1, gid: 1 },
    ];
    const sealed = await sealTree(facts.map((fact, index) => file(`f${index}`, "x", fact)));
    await using artifact = await sealed.open();
    const read = await readEntries(artifact);
    assert.deepEqual(
      read.map(({ mode, mtimeMs, uid, gid }) => ({ mode, mtimeMs, uid, gid })),
      facts,
    );
  });

  it("may hold nothing at all", async () => {
    const sealed = await sealTree([]);
    await using artifact = await sealed.open();
    assert.deepEqual(await readEntries(artifact), []);
    assert.deepEqual(await collect(artifact.catalogue()), []);
    assert.equal(sealed.result.plainBytes, 0);
    assert.equal((await verify({ storage: sealed.storage, directory, identities: [identity] })).depth, "CONTENTS");
  });

  it("keeps contents whole at every border of blocks, chunks and frames", async () => {
    const borders = [512, 65_536, 65_536 * 2, 4_194_304];
    const sizes = [0, 1, ...borders.flatMap((border) => [border - 513, border - 512, border - 1, border, border + 1])];
    const source = noise(4_194_305);
    const sealed = await sealTree(sizes.map((size, index) => file(`f${index}`, source.subarray(0, Math.max(0, size)))));
    await using artifact = await sealed.open();
    for await (const entry of artifact.entries()) {
      const content = Buffer.concat(await collect(entry.content));
      assert.ok(content.equals(source.subarray(0, entry.size)), `${entry.size} bytes`);
    }
    assert.equal(
      sealed.result.plainBytes,
      sizes.reduce((sum, size) => sum + Math.max(0, size), 0),
    );
  });

  it("ends on any border of chunks and frames", async () => {
    // A tar of one file is its header, its content in whole blocks and two more blocks.
    for (const total of [65_536, 131_072, 4_194_304])
      for (const off of [-512, 0, 512]) {
        const content = noise(total + off - 3 * 512);
        const sealed = await sealTree([file("f", content)]);
        await using artifact = await sealed.open();
        assert.equal(artifact.manifest.artifact.plainBytes, total + off);
        const [entry] = await readEntries(artifact);
        assert.ok(entry?.content?.equals(content), `${total + off} bytes`);
      }
  });

  it("keeps a content whose length nobody knew, through a spool that leaves nothing on the disk", async () => {
    const spoolDirectory = await mkdtemp(join(tmpdir(), "xvault-spool-"));
    for (const size of [0, 1, 512, 4_194_304, 9_000_001]) {
      const content = noise(size);
      const dump = file("dump.sql", "", { size: null, content: chunked(content, 70_001) });
      const sealed = await sealTree([file("before", "1"), dump, file("after", "2")], { spoolDirectory });
      await using artifact = await sealed.open();
      const read = await readEntries(artifact);
      assert.deepEqual(
        read.map(({ path }) => path),
        ["before", "dump.sql", "after"],
      );
      assert.ok(read[1]?.content?.equals(content), `${size} bytes`);
      const [, entry] = await collect(artifact.catalogue());
      assert.equal(entry?.sha256, hash("sha256", content));
      assert.equal((await verify({ storage: sealed.storage, directory, identities: [identity] })).depth, "CONTENTS");
    }
    assert.deepEqual(await readdir(spoolDirectory), []);
    await rmdir(spoolDirectory);
  });

  it("is what was sealed, whatever the tree", async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x5f : byte)))
      .filter((bytes) => !/^\.\.?$/.test(Buffer.from(bytes).toString()));
    const content = fc.uint8Array({ maxLength: 2000 });
    const facts = fc.record({ mode: fc.nat(0o7777), mtimeMs: fc.integer(), uid: fc.nat(), gid: fc.nat() });
    const tree = fc.uniqueArray(fc.tuple(name, content, facts), { selector: ([bytes]) => hex(bytes) });
    await fc.assert(
      fc.asyncProperty(tree, async (wanted) => {
        const sealed = await sealTree(wanted.map(([path, bytes, more]) => file(path, bytes, more)));
        await using artifact = await sealed.open();
        const read = await readEntries(artifact);
        assert.deepEqual(
          read.map(({ path, content: bytes, mode, mtimeMs, uid, gid }) => [
            hex(path),
            bytes?.toString("hex"),
            { mode, mtimeMs, uid, gid },
          ]),
          wanted.map(([path, bytes, more]) => [hex(path), hex(bytes), { ...more }]),
        );
      }),
      { numRuns: 25 },
    );
  });
});

async function* chunked(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function hex(bytes: EntryPath): string {
  return Buffer.from(bytes).toString("hex");
}
