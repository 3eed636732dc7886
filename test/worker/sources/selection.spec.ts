import assert from "node:assert/strict";
import { linkSync } from "node:fs";
import { describe, it } from "node:test";
import { Selection } from "../../../worker/sources/selection.ts";
import { connectSftp } from "../../../worker/sources/sftp.ts";
import { connectSshFiles } from "../../../worker/sources/ssh.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { describeTree, directory, link, seededBytes, tree, writeTree } from "../../stage/tree.ts";
import { collect, connectTo } from "./reading.ts";
import { kinds, serve } from "./ssh-files.ts";

function selection(globs: { include?: string[]; exclude?: string[] }): Selection {
  return new Selection({ include: [], exclude: [], maxEntries: 1000, maxBytes: undefined, ...globs });
}

describe("what a source leaves out and keeps", () => {
  it("is everything where nothing is said", () => {
    assert.ok(selection({}).has("a/b", "file") && selection({}).isEverything);
  });

  it("follows the rules of a .gitignore", () => {
    const { has } = bound(selection({ exclude: ["*.log", "!keep.log", "/cache", "tmp/", "a/**/z", "# not a glob"] }));
    const kept = ["keep.log", "x/cache", "a/zz", "x.LOG", "# not a glob"];
    const left = ["x.log", "deep/er/x.log", "cache", "cache/in", "a/z", "a/b/c/z"];
    assert.deepEqual([kept.filter((path) => !has(path, "file")), left.filter((path) => has(path, "file"))], [[], []]);
    assert.deepEqual([has("tmp", "file"), has("tmp", "directory"), has("x/tmp/y", "file")], [true, false, false]);
  });

  it("excludes what is included as well", () => {
    const { has } = bound(selection({ include: ["/site"], exclude: ["*.log"] }));
    assert.deepEqual([has("site/a", "file"), has("site/a.log", "file"), has("other", "file")], [true, false, false]);
  });

  it("looks only where something may be included", () => {
    const looked = (include: string[]) =>
      ["a", "a/b", "a/b/c", "other"].filter((path) => selection({ include }).mayHold(path)).join(" ");
    assert.equal(looked(["/a/b"]), "a a/b a/b/c");
    assert.equal(looked(["a/b/*.txt"]), "a a/b a/b/c");
    assert.equal(looked(["/other/x y"]), "other");
    for (const anywhere of ["*.txt", "b", "b/", "**/b", "!a/b"]) assert.equal(looked([anywhere]), "a a/b a/b/c other");
  });

  it("does not remember all it was ever asked about", () => {
    const many = selection({ exclude: ["*.log"] });
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 400_000; index++) many.has(`directory/of/many/files/${index}`, "file");
    assert.ok(process.memoryUsage().heapUsed - before < 100 * 1024 * 1024);
  });
});

function bound(of: Selection) {
  return { has: (path: string, kind: string) => of.has(path, kind) };
}

const names = ["a", "b", "a b", "cache", "x.log", "keep.log", "ünï", "-x", "a]b", "dir.log", "back\\slash", "*"];

/** Every name at every one of three depths. */
function bush() {
  const literal: Record<string, string> = {};
  for (const one of names.slice(0, 6))
    for (const two of names) {
      literal[`${one}/${two}/leaf`] = `${one}/${two}`;
      literal[`${one}/file-${two}`] = "beside";
    }
  for (const name of names.slice(6)) literal[name] = name;
  return tree({ ...literal, "sub/cache": "a file of that name", "to cache": link("a/cache"), "empty/": directory });
}

/** Each list is one selection. */
const excludes = [
  ["cache"],
  ["cache/"],
  ["/cache"],
  ["/cache/"],
  ["*.log"],
  ["*.log", "!keep.log"],
  ["a/*"],
  ["a/*/leaf"],
  ["*/cache"],
  ["**/cache"],
  ["a/**"],
  ["**"],
  ["*"],
  ["/*"],
  ["*/"],
  ["?"],
  ["[ab]"],
  ["a b"],
  ["a\\ b"],
  ["a b "],
  ["ünï", "-x", "*.nothing"],
  ["le*f"],
  ["a*leaf"],
  ["a*b/leaf"],
  ["f*x.log"],
  ["*l*"],
  ["file-*"],
  ["./a"],
  ["a/./b"],
  ["a//b"],
  ["#a", "\\*"],
  ["empty"],
  ["leaf/"],
  ["to cache/"],
  ["*e"],
];
const includes = [
  ["/a"],
  ["/a", "/a/b"],
  ["a/b"],
  ["/a/b/leaf", "/cache/x.log/"],
  ["/to cache/leaf"],
  ["/to cache"],
  ["/nowhere", "/b"],
  ["/nowhere"],
  ["*.log"],
  ["a/*/leaf"],
  ["/-x", "/*"],
  ["cache/"],
  ["/$(touch x)/'", "/ünï"],
  ["../up", "/.."],
];

describe("what a server is asked to leave out", { skip: missingOpenSsh ?? false }, () => {
  const { "GNU tar": gnu, "BusyBox by its own name": busybox, ...others } = kinds;
  const servers = {
    "GNU tar": gnu,
    "BusyBox where there is no SFTP": busybox && { ...busybox, options: { ...busybox.options, sftp: false } },
    SFTP: others["SFTP, where the user has no shell"],
  };
  for (const [name, { options = {}, skip = false } = {}] of Object.entries(servers))
    it(`is exactly what the rules say, read by ${name}`, { skip }, async () => {
      const nodes = bush();
      await using sshd = await serve(nodes, options);
      const all = describeTree(nodes);
      const differing: unknown[] = [];
      const selections = [...excludes.map((exclude) => ({ exclude })), ...includes.map((include) => ({ include }))];
      for (const globs of [...selections, { include: ["/a", "/cache"], exclude: ["*.log", "b/"] }]) {
        const rule = selection(globs);
        const expected = Object.keys(all).filter((path) =>
          rule.has(path, all[path] === "directory" ? "directory" : "file"),
        );
        await using source = await connectTo(sshd, { connect: connectSshFiles, settings: globs });
        const { described, warnings } = await collect(source);
        const found = Object.keys(described);
        if (JSON.stringify(found) === JSON.stringify(expected) && warnings.length === 0) continue;
        const missing = expected.filter((path) => !found.includes(path));
        differing.push({ globs, missing, besides: found.filter((path) => !expected.includes(path)), warnings });
      }
      assert.deepEqual(differing, []);
    });

  it("is not sent at all where tar can leave it out", async () => {
    const nodes = tree({
      "site/one": "1",
      "site/cache/big": seededBytes(8 * 1024 * 1024, "big"),
      "other/big": seededBytes(8 * 1024 * 1024, "big"),
    });
    await using sshd = await serve(nodes);
    for (const settings of [
      { exclude: ["cache/", "/other"] },
      { include: ["/site"], exclude: ["cache"] },
      { include: ["/site/one"] },
    ]) {
      await using proxy = await stageFaultProxy(sshd);
      await using source = await connectTo({ ...sshd, port: proxy.port }, { connect: connectSshFiles, settings });
      assert.ok(Object.keys((await collect(source)).described).includes("site/one"));
      assert.ok(proxy.bytes() < 1024 * 1024, `${proxy.bytes()} bytes for ${JSON.stringify(settings)}`);
    }
  });

  it("takes no content along with a hard link that is left out", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ "a/one.log": "shared", "b/": directory }), { owner: sshd.owner });
    for (let index = 0; index < 9; index++) linkSync(`${sshd.data}/a/one.log`, `${sshd.data}/b/kept${index}`);
    // A question mark is nothing that tar is asked to leave out; whichever name comes first is left out once.
    for (const [exclude, entries] of [
      ["*.log", 11],
      ["one.lo?", 11],
      ["kept?", 3],
    ] as const) {
      await using source = await connectTo(sshd, { connect: connectSshFiles, settings: { exclude: [exclude] } });
      const { described, warnings } = await collect(source);
      assert.deepEqual([Object.keys(described).length, warnings], [entries, []]);
      const contents = Object.values(described).map((each) => {
        const target = /^same as (.*)$/.exec(each)?.[1];
        return target === undefined ? each : (described[target] ?? "nothing");
      });
      assert.equal(contents.filter((each) => each.startsWith("file of 6 bytes")).length, entries - 2);
    }
  });
});

describe("the limits of a source", { skip: missingOpenSsh ?? false }, () => {
  for (const [type, connect] of Object.entries({ SSH: connectSshFiles, SFTP: connectSftp }))
    it(`end the backup as QUOTA_EXCEEDED, and count only what is taken (${type})`, async () => {
      await using sshd = await serve(tree({ "a/one": "12345", "a/two": "12345", "b/three": "12345" }));
      const read = async (settings: object) => {
        await using source = await connectTo(sshd, { connect, settings: { ...settings } });
        return Object.keys((await collect(source)).described).length;
      };
      assert.equal(await read({ maxEntries: 5, maxBytes: 15 }), 5);
      assert.equal(await read({ maxEntries: 3, maxBytes: 10, exclude: ["b"] }), 3);
      for (const limits of [{ maxEntries: 4 }, { maxBytes: 14 }])
        await assert.rejects(read(limits), { name: "SourceError", code: "QUOTA_EXCEEDED" });
    });
});
