// Trees of this machine: read, sealed, opened and unpacked again, they are the same to the last name, mode and time.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, link, lstat, lutimes, mkdir, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assertTree, file, seededBytes, smallFiles, writeTree as stageTree, tree } from "../stage/tree.ts";
import { factsUnder, isRoot, roundTrip, scratch, sealPath } from "./local-trees.ts";
import { file as entryOf, sealTree } from "./sealing.ts";

const mebibyte = 1_048_576;

describe("a tree that was sealed and unpacked", () => {
  it("has the same contents, at every size around the buffers", async (t) => {
    const base = await scratch(t);
    const sizes = [0, 1, 511, 512, 513, mebibyte - 1, mebibyte, mebibyte + 1, 4 * mebibyte, 5 * mebibyte + 7];
    const nodes = tree(
      Object.fromEntries(sizes.map((size, index) => [`${index}-${size}`, file(seededBytes(size, `${size}`))])),
    );
    await stageTree(join(base, "in"), nodes);
    const warnings = await roundTrip(base, (out) => assertTree(out, nodes));
    assert.deepEqual(warnings, []);
  });

  it("has the same small files, be they many", async (t) => {
    const base = await scratch(t);
    const nodes = smallFiles(5000);
    await stageTree(join(base, "in"), nodes);
    await roundTrip(base, (out) => assertTree(out, nodes));
  });

  it("has the same modes, with the bits that are not permissions", async (t) => {
    const base = await scratch(t);
    const at = (name: string) => join(base, "in", name);
    for (const mode of [0o000, 0o400, 0o644, 0o777, 0o4755, 0o2711, 0o1666, 0o7777]) {
      await writeFile(at(`f${mode}`), "x");
      await chmod(at(`f${mode}`), mode);
    }
    for (const mode of [0o500, 0o755, 0o1777, 0o2775]) {
      await mkdir(at(`d${mode}`));
      await writeFile(join(at(`d${mode}`), "inside"), "x");
      await chmod(at(`d${mode}`), mode);
    }
    const before = await factsUnder(join(base, "in"));
    await roundTrip(base, async (out) => assert.equal(await factsUnder(out), before));
  });

  it("has the same times to the millisecond, of files, directories and links, before 1970 too", async (t) => {
    const base = await scratch(t);
    const at = (name: string) => join(base, "in", name);
    const times = [0, 1, 999, 1_700_000_000_001, 1_700_000_000_999, 1_763_000_000_123, -1, -1500, 2 ** 33 * 1000 + 7];
    for (const time of times) {
      await mkdir(at(`d${time}/sub`), { recursive: true });
      await writeFile(at(`d${time}/sub/f`), "x");
      await symlink("f", at(`d${time}/sub/l`));
      // In whole milliseconds by touch, whose decimals go through no floating point.
      const stamp = `@${time < 0 ? "-" : ""}${Math.floor(Math.abs(time) / 1000)}.${String(Math.abs(time) % 1000).padStart(3, "0")}`;
      for (const name of ["sub/f", "sub/l", "sub", ""])
        execFileSync("touch", ["-h", "-d", stamp, at(`d${time}/${name}`)]);
    }
    const before = await factsUnder(join(base, "in"));
    await roundTrip(base, async (out) => assert.equal(await factsUnder(out), before));
  });

  it("has times that no calendar has, to the millisecond, as far as a number holds them", async () => {
    const times = [2 ** 53 - 1, 1 - 2 ** 53, 8_922_522_689_952_103, 4_398_046_511_104_001];
    const sealed = await sealTree(times.map((mtimeMs, index) => entryOf(`${index}`, "x", { mtimeMs })));
    await using artifact = await sealed.open();
    const read: number[] = [];
    for await (const { mtimeMs } of artifact.entries()) read.push(mtimeMs);
    assert.deepEqual(read, times);
  });

  it("has the same links, wherever they point", async (t) => {
    const base = await scratch(t);
    const targets = {
      dangling: "nowhere",
      absolute: "/etc/passwd",
      up: "../../..",
      folder: "d",
      self: "self",
      "odd\n": "ü\t",
    };
    await mkdir(join(base, "in", "d"));
    await writeFile(join(base, "in", "d", "f"), "x");
    for (const [name, target] of Object.entries(targets)) await symlink(target, join(base, "in", name));
    await symlink(Buffer.from([0xff, 0x41]), join(base, "in", "bytes"));
    await lutimes(join(base, "in", "dangling"), 1, 1);
    await roundTrip(base, async (out) => {
      for (const [name, target] of Object.entries(targets)) assert.equal(await readlink(join(out, name)), target);
      assert.deepEqual(await readlink(join(out, "bytes"), "buffer"), Buffer.from([0xff, 0x41]));
      assert.equal((await lstat(join(out, "dangling"))).mtimeMs, 1000);
      assert.deepEqual(await readdir(join(out, "d")), ["f"]);
    });
  });

  it("has further names of a file as such, and its content once", async (t) => {
    const base = await scratch(t);
    const at = (name: string) => join(base, "in", name);
    await mkdir(at("z"));
    await writeFile(at("b"), seededBytes(2_000_000, "twin"));
    for (const name of ["a", "z/c", "empty"])
      await (name === "empty" ? writeFile(at(name), "") : link(at("b"), at(name)));
    await link(at("empty"), at("z/empty"));
    const { sealed } = await sealPath(join(base, "in"));
    assert.equal(sealed.result.manifest.plainBytes, 2_000_000);
    assert.deepEqual(sealed.result.manifest.counts, { files: 2, directories: 1, symlinks: 0, hardlinks: 3 });
    await roundTrip(base, async (out) => {
      const inodes = await Promise.all(["a", "b", "z/c"].map(async (name) => (await lstat(join(out, name))).ino));
      assert.deepEqual(new Set(inodes).size, 1);
      const empties = await Promise.all(["empty", "z/empty"].map(async (name) => (await lstat(join(out, name))).ino));
      assert.deepEqual(new Set([...inodes, ...empties]).size, 2);
    });
  });

  it("has the same names, whatever their bytes", async (t) => {
    const base = await scratch(t);
    const plain = [
      "-rf",
      "a\nb",
      "🎉 party",
      "ü",
      "u\u0308",
      "\ufffd",
      " ",
      "\\",
      "a:b",
      "#",
      "~",
      "*",
      "x".repeat(255),
    ];
    for (const name of plain) await writeFile(join(base, "in", name), name);
    const odd = Buffer.concat([Buffer.from(join(base, "in", "d")), Buffer.from([0xfe])]);
    await mkdir(odd);
    await writeFile(Buffer.concat([odd, Buffer.from([0x2f, 0xff])]), "odd");
    await mkdir(Buffer.concat([odd, Buffer.from("/plain")]));
    await writeFile(Buffer.concat([odd, Buffer.from("/plain/f")]), "in it");
    const before = await factsUnder(join(base, "in"));
    const warnings = await roundTrip(base, async (out) => assert.equal(await factsUnder(out), before));
    assert.deepEqual(warnings, []);
  });

  it("has the same empty directories, and paths as long as the system takes", async (t) => {
    const base = await scratch(t);
    const deep = Array.from({ length: 15 }, () => "d".repeat(200)).join("/");
    await mkdir(join(base, "in", deep), { recursive: true });
    await mkdir(join(base, "in", "empty"));
    await roundTrip(base, async (out) => {
      assert.deepEqual(await readdir(join(out, deep)), []);
      assert.deepEqual(await readdir(join(out, "empty")), []);
    });
  });

  it("has the same owners, where root unpacks it", { skip: !isRoot && "giving files away needs root" }, async (t) => {
    const base = await scratch(t);
    const nodes = tree({ "d/f": file("x", 0o4755), "d/l": { kind: "link", target: "f" } });
    await stageTree(join(base, "in"), nodes, { owner: { uid: 4321, gid: 3_000_000 } });
    const before = await factsUnder(join(base, "in"));
    assert.match(before, /4321 3000000/);
    await roundTrip(base, async (out) => assert.equal(await factsUnder(out), before));
  });
});
