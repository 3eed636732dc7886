// Some paths out of an artifact: what comes along, what does not, how little is read for it, and the tar that it becomes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import {
  type Entry,
  ExportError,
  isEverything,
  openArtifact,
  printablePath,
  type Storage,
  selectEntries,
  tar,
} from "#artifact/node";
import { assertTree, file as fileNode, link as linkNode, tree } from "../stage/tree.ts";
import { collect, directory, file, folder, identity, link, noise, sealTree } from "./sealing.ts";

const run = promisify(execFile);
const odd = (text: string, ...bytes: number[]) => Buffer.concat([Buffer.from(text), Buffer.from(bytes)]);

const entries = (): Entry[] => [
  folder("."),
  folder("a"),
  file("a/1", "one"),
  folder("a/b"),
  file("a/b/2", "two"),
  file("a/b/3", "three"),
  folder("ab"),
  file("ab/4", "four"),
  folder("empty"),
  folder("links"),
  link("links/1", "a/1", "hardlink"),
  link("links/again", "links/1", "hardlink"),
  link("links/soft", "../a"),
  folder(odd("odd", 0xff)),
  file(odd("odd", 0xff, 0x2f, 0xfe), "bytes"),
  file(odd("oddly", 0xff), "neighbour"),
  file("orphan/deep/file", "x"),
  file("überall/ü", "umlaut"),
];

async function selected(paths: readonly string[], from = entries()): Promise<string[]> {
  const sealed = await sealTree(from);
  await using artifact = await sealed.open();
  const selection = await selectEntries(artifact, paths);
  const found: string[] = [];
  let files = 0;
  let bytes = 0;
  for await (const { path, kind, size } of selection.entries()) {
    found.push(printablePath(path));
    if (kind === "file") files += 1;
    bytes += size;
  }
  assert.deepEqual([files, bytes], [selection.files, selection.bytes]);
  return found;
}

describe("a selection", () => {
  const everything = entries().map(({ path }) => printablePath(path));
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    ["one file", ["a/1"], ["a/1"]],
    ["a directory with everything below it, and no neighbour", ["a"], ["a", "a/1", "a/b", "a/b/2", "a/b/3"]],
    ["an empty directory", ["empty"], ["empty"]],
    [
      "several, once each, in the artifact's order",
      ["ab/4", "a/b", "a/b/2", "a/b", "a/1"],
      ["a/1", "a/b", "a/b/2", "a/b/3", "ab/4"],
    ],
    ["a directory that has no entry of its own", ["orphan"], ["orphan/deep/file"]],
    ["one in the middle of such a path", ["orphan/deep"], ["orphan/deep/file"]],
    ["names with other letters", ["überall"], ["überall/ü"]],
    ["the root", ["."], everything],
    ["the root and something in it", ["a/1", "."], everything],
    ["a symbolic link as such", ["links/soft"], ["links/soft"]],
    ["the file that a hard link is a name of", ["links/1"], ["a/1", "links/1"]],
    ["a hard link to a hard link", ["links/again"], ["a/1", "links/1", "links/again"]],
    ["hard links with their directory", ["links"], ["a/1", "links", "links/1", "links/again", "links/soft"]],
  ];
  for (const [what, paths, expected] of cases)
    it(`takes ${what}`, async () => assert.deepEqual(await selected(paths), expected));

  for (const form of ["a/b", "./a/b", "/a/b", "a/b/", "././/a/b//", "/./a/b"])
    it(`takes ${form} for a/b`, async () => assert.deepEqual(await selected([form]), ["a/b", "a/b/2", "a/b/3"]));

  for (const form of [".", "./", "/", "//", "/.", "./.", ""])
    it(`takes "${form}" for the root`, async () => {
      assert.ok(isEverything([form]));
      assert.deepEqual(await selected([form]), everything);
    });

  it("takes the root of a tree without an entry for it", async () => {
    assert.deepEqual(await selected(["."], [file("a", "x"), file("b", "x")]), ["a", "b"]);
  });

  it("is not everything where it is less", () => {
    assert.ok(isEverything([]) && isEverything(["a", "."]));
    assert.ok(!isEverything(["a"]) && !isEverything([".a"]) && !isEverything(["a/."]));
  });

  it("takes files next to names that are no text", async () => {
    const from = [
      folder("d"),
      file(odd("d/", 0xff), "1"),
      file(odd("d/", 0xc3), "2"),
      file("d/x", "3"),
      file("e", "4"),
    ];
    assert.deepEqual(await selected(["d"], from), ["d", "d/\\xff", "d/\\xc3", "d/x"]);
    const linked = [file(odd("first", 0xff), "1"), link("second", odd("first", 0xff), "hardlink"), file("z", "2")];
    assert.deepEqual(await selected(["second"], linked), ["first\\xff", "second"]);
  });

  for (const missing of ["nowhere", "a/b/2/3", "A", "a/1x", "../a", "a/../a", "a//b", "*", "links/1/x"])
    it(`that names ${missing}, which stands for nothing, is refused with that name`, async () => {
      await assert.rejects(selected(["a", missing]), (error) => {
        return error instanceof ExportError && error.code === "NOT_FOUND" && error.message.includes(`"${missing}"`);
      });
    });

  it("through more hard links than anybody makes is refused", async () => {
    const chain = Array.from({ length: 40 }, (_, index) => link(`l${index + 1}`, `l${index}`, "hardlink"));
    await assert.rejects(selected(["l40"], [file("l0", "x"), ...chain]), (error) => {
      return error instanceof ExportError && error.code === "TOO_MUCH";
    });
  });

  it("reads the catalogue and the frames that hold it, and nothing else", async () => {
    const many = Array.from({ length: 20 }, (_, index) => file(`f${index}`, noise(4_000_000)));
    const { storage, result } = await sealTree([...many.slice(0, 10), file("small", "here"), ...many.slice(10)]);
    const read = new Map<string, number>();
    await using artifact = await openArtifact({ storage: counting(storage, read), directory, identities: [identity] });
    const selection = await selectEntries(artifact, ["small"]);
    assert.ok((read.get("backup.tar.zst.enc") ?? 0) < 200_000);
    const [only] = await collect(selection.entries());
    assert.equal(only?.bytes && Buffer.from(only.bytes).toString(), "here");
    const { storedBytes } = result.manifest.artifact;
    const bytes = read.get("backup.tar.zst.enc") ?? 0;
    // One frame of 4 MiB, and the end of the file with its seek table.
    assert.ok(bytes > 4 && bytes < 5_000_000, `${bytes} of ${storedBytes} bytes`);
  });
});

describe("the tar of a selection", () => {
  it("is read by GNU tar, in order, byte for byte", async (t) => {
    const out = await scratch(t);
    const long = `${"d".repeat(150)}/${"é".repeat(100)}`;
    const big = noise(5_000_001);
    const sealed = await sealTree([
      folder("a"),
      file("a/-rf", "dash", { mode: 0o4751 }),
      file("a/big", big, { mtimeMs: 1_700_000_000_250 }),
      link("a/l", "nowhere"),
      link("a/twin", "a/big", "hardlink"),
      file("b", "not taken"),
      file(long, "long"),
    ]);
    await using artifact = await sealed.open();
    const { entries: read } = await selectEntries(artifact, ["a", long]);
    const bytes = Buffer.concat((await collect(tar(read()))).map((chunk) => Buffer.from(chunk)));
    assert.equal(bytes.length % 512, 0);
    await writeFile(join(out, "a.tar"), bytes);
    const { stdout } = await run("tar", ["-tf", join(out, "a.tar"), "--quoting-style=literal"]);
    assert.deepEqual(stdout.trim().split("\n"), ["a/", "a/-rf", "a/big", "a/l", "a/twin", long]);
    await mkdir(join(out, "x"));
    const { stderr } = await run("tar", ["-xpf", join(out, "a.tar"), "-C", join(out, "x")]);
    assert.equal(stderr, "");
    await assertTree(
      join(out, "x"),
      tree({
        "a/-rf": fileNode("dash", 0o4751),
        "a/big": big,
        "a/twin": big,
        "a/l": linkNode("nowhere"),
        [long]: "long",
      }),
    );
    await run("tar", ["-df", join(out, "a.tar"), "-C", join(out, "x")]);
  });

  it("of everything is the artifact's own", async () => {
    const sealed = await sealTree(entries());
    await using artifact = await sealed.open();
    const own = Buffer.concat(await collect(artifact.tar()));
    const { entries: read } = await selectEntries(artifact, ["."]);
    for (const all of [artifact.entries(), read()]) {
      const chunks: Buffer[] = [];
      for await (const chunk of tar(all)) chunks.push(Buffer.from(chunk));
      assert.ok(Buffer.concat(chunks).equals(own));
    }
  });

  it("of nothing is an empty archive", async (t) => {
    const out = await scratch(t);
    await writeFile(join(out, "a.tar"), Buffer.concat(await collect(tar(nothing()))));
    assert.equal((await run("tar", ["-tf", join(out, "a.tar")])).stdout, "");
  });
});

async function* nothing() {}

async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "xvault-export-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Adds up what is read, by the file's name. */
function counting(storage: Storage, read: Map<string, number>): Storage {
  return {
    ...storage,
    async open(place, name) {
      const opened = await storage.open(place, name);
      return {
        ...opened,
        read(position, length, signal) {
          read.set(name, (read.get(name) ?? 0) + length);
          return opened.read(position, length, signal);
        },
      };
    },
  };
}
