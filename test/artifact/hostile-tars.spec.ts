// Tars that somebody who holds a recipient made by hand: no name, link or length in them leads anywhere.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ArtifactError } from "#artifact/node";
import { frameOf, replaceSealed } from "./hand-sealing.ts";
import { isRefusal, memoryInUse } from "./refusing.ts";
import { collect, sealTree } from "./sealing.ts";

type Code = ArtifactError["code"];

const end = Buffer.alloc(1024);

/** One ustar block as FORMAT.md has it; `size` as text, for sizes that are none. */
function block(type: string, name: string, { size = "0", linkName = "" } = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, "latin1");
  header.write("0000644\x000000000\x000000000\0", 100, "latin1");
  header.write(`${size.padStart(11, "0")}\0${"0".repeat(11)}\0`, 124, "latin1");
  header.write(type, 156, "latin1");
  header.write(linkName, 157, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  header.write("0000000\0".repeat(2), 329, "latin1");
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

/** An extended header of these records, whatever they say. */
function extended(...records: string[]): Buffer {
  const body = Buffer.from(records.join(""), "latin1");
  return Buffer.concat([block("x", "PaxHeader", { size: body.length.toString(8) }), padded(body)]);
}

const file = (name: string) => block("0", name);
const folder = (name: string) => block("5", `${name}/`);
const symlink = (name: string, linkName: string) => block("2", name, { linkName });
const hardlink = (name: string, linkName: string) => block("1", name, { linkName });

/** Reads the tar as an artifact, whose manifest allows anything, and insists that the last entry does not come out. */
async function assertRefused(pieces: readonly Buffer[], admitted: number, code: Code, told: string): Promise<void> {
  const { storage, open } = await sealTree([]);
  const tar = Buffer.concat([...pieces, end]);
  const frames = [];
  for (let at = 0; at < tar.length; at += 4_194_304) frames.push(frameOf(tar.subarray(at, at + 4_194_304)));
  const counts = { files: 2 ** 40, directories: 0, symlinks: 0, hardlinks: 0 };
  await replaceSealed(storage, { part: "artifact", frames, claims: { counts, plainBytes: 2 ** 52 } });
  await using artifact = await open();
  let read = 0;
  const reading = async () => {
    for await (const { content } of artifact.entries()) {
      await collect(content);
      read += 1;
    }
  };
  await assert.rejects(reading, isRefusal(code), told);
  assert.equal(read, admitted, told);
}

describe("a tar in a forged artifact", () => {
  it("is read as long as nothing is wrong with it", async () => {
    const wrong = folder("..");
    const pieces = [
      folder("d"),
      file("d/f"),
      symlink("l", "/etc"),
      hardlink("h", "d/f"),
      hardlink("h2", "h"),
      file("z"),
      wrong,
    ];
    await assertRefused(pieces, 6, "ENTRY_REFUSED", "a folder above");
  });

  const names: readonly [told: string, pieces: Buffer[]][] = [
    ["a NUL in a name", [extended(record("path", `${"a".repeat(100)}\0b`)), file("a".repeat(100))]],
    ["a NUL in front of a name", [extended(record("hdrcharset", "BINARY"), record("path", "\0\xff")), file("\0\xff")]],
    ["a NUL in a link's target", [extended(record("linkpath", `${"a".repeat(100)}\0`)), symlink("l", "a".repeat(100))]],
    ["a name above", [file("../a")]],
    ["a long name above", [extended(record("path", `${"a/".repeat(60)}../b`)), file(`${"a/".repeat(50)}`)]],
    ["an absolute name", [file("/a")]],
    ["an absolute folder", [block("5", "//")]],
    ["a link, then a file in its place", [symlink("a", "b"), file("a")]],
    ["a link, then a folder in its place", [symlink("a", "b"), folder("a")]],
    ["a link, then a link in its place", [symlink("a", "b"), symlink("a", "c")]],
    ["a link, then a hard link in its place", [file("f"), symlink("a", "b"), hardlink("a", "f")]],
    ["a folder, a link in its place, then a file through it", [folder("a"), symlink("a", "/etc"), file("a/passwd")]],
    ["a file through two links", [symlink("a", "b"), folder("b"), symlink("b/c", "/"), file("b/c/d")]],
    ["a file far below a link", [symlink("a", "b"), file("a/b/c/d/e")]],
    [
      "a chain of hard links to a link, then a file through it",
      [symlink("a", "/"), hardlink("b", "a"), hardlink("c", "b"), file("c/d")],
    ],
    ["a hard link through a chain", [symlink("a", "/"), hardlink("b", "a"), hardlink("c", "b/etc/passwd")]],
    ["a hard link out of the tree", [hardlink("a", "../b")]],
    ["a hard link to an absolute name", [hardlink("a", "/etc/passwd")]],
    ["a hard link to nothing", [hardlink("a", "")]],
    ["a hard link to the tree itself", [hardlink("a", ".")]],
  ];
  for (const [told, pieces] of names)
    it(`is refused: ${told}`, () => {
      const entries = pieces.filter((piece) => piece.length === 512).length;
      return assertRefused(pieces, entries - 1, "ENTRY_REFUSED", told);
    });

  it("is refused where a length is past all counting, negative or no number", async () => {
    for (const key of ["size", "uid", "gid"])
      for (const value of [
        String(2n ** 63n),
        String(2n ** 64n),
        String(2n ** 53n),
        "9".repeat(400),
        "-1",
        "1e9",
        "0x10",
        " 1",
        "",
      ])
        await assertRefused([extended(record(key, value)), file("a")], 0, "ARTIFACT_CORRUPT", `${key} ${value}`);
    for (const value of [String(2n ** 63n), "9".repeat(400), "1e9", "1.5", "NaN", "Infinity", "--1.000", "-0.000"])
      await assertRefused([extended(record("mtime", value)), file("a")], 0, "ARTIFACT_CORRUPT", `mtime ${value}`);
    for (const size of ["777777777777", "-1", "8", "1 "])
      await assertRefused([block("0", "a", { size })], 0, "ARTIFACT_CORRUPT", `a size of ${size}`);
  });

  it("is refused where a size is more than there is", async () => {
    const size = String(2n ** 53n - 1n);
    await assertRefused([extended(record("size", size)), file("a")], 0, "LIMIT_EXCEEDED", "2^53 - 1 bytes");
    await assertRefused([extended(record("size", String(2n ** 51n))), file("a")], 0, "ARTIFACT_CORRUPT", "2^51 bytes");
  });

  it("holds no extended header that is a bomb", async () => {
    const bombs: readonly [told: string, pieces: Buffer[], code?: Code][] = [
      ["many records", [extended(...Array<string>(10_000).fill(record("a", "b"))), file("a")]],
      ["one record many times", [extended(...Array<string>(500).fill(record("path", "é".repeat(100)))), file("a")]],
      ["a record longer than any", [extended(record("path", "é".repeat(100_000))), file("a")]],
      ["a record that claims more than there is", [extended("999999999999999999999 path=a\n"), file("a")]],
      ["a record that claims less than it has", [extended("5 path=é\n"), file("a")]],
      ["records and no entry", [extended(record("path", "é"))], "ENTRY_REFUSED"],
      [
        "records for records",
        [extended(record("path", "é")), extended(record("path", "é")), file("a")],
        "ENTRY_REFUSED",
      ],
      ["records without end", Array<Buffer>(20_000).fill(extended(record("path", "é"))), "ENTRY_REFUSED"],
      ["records of 8 GiB", [block("x", "PaxHeader", { size: "77777777777" }), Buffer.alloc(8_388_608, "a")]],
    ];
    for (const [told, pieces, code = "ARTIFACT_CORRUPT"] of bombs) {
      const before = memoryInUse();
      await assertRefused(pieces, 0, code, told);
      assert.ok(memoryInUse() - before < 32_000_000, told);
    }
  });
});
