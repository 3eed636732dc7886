// `xvault artifact extract`: into directories, archives and pipes, and what is left where it fails.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { assertTree, link, tree } from "../stage/tree.ts";
import { damage, openDesk, site, without } from "./artifact-desk.ts";
import { program } from "./xvault.ts";

const run = promisify(execFile);

describe("xvault artifact extract", () => {
  it("unpacks everything, or some paths, into a directory", async (t) => {
    const desk = await openDesk(t);
    const all = await desk.artifact("extract", "sealed", "--key", "key", "--out", "all");
    assert.deepEqual([all.exitCode, all.stdout], [0, "all  4 files, 3.00 MB\n"]);
    await assertTree(desk.at("all"), site);
    const some = await desk.artifact("extract", "sealed", "a", "./l/", "--key", "key", "--out", "some", "--json");
    assert.deepEqual([some.exitCode, JSON.parse(some.stdout)], [0, { out: "some", files: 2, bytes: 6 }]);
    await assertTree(desk.at("some"), tree({ "a/1.txt": "one", "a/b/2.txt": "two", l: link("a/1.txt") }));
  });

  it("writes a tar or a ZIP to a file", async (t) => {
    const desk = await openDesk(t);
    for (const [form, paths] of [
      ["tar", []],
      ["tar", ["a"]],
      ["zip", []],
      ["zip", ["a"]],
    ] as const) {
      const name = `${paths.length}.${form}`;
      const args = ["extract", "sealed", ...paths, "--key", "key", `--${form}`, "--out", name];
      const { exitCode, stdout } = await desk.artifact(...args);
      assert.equal(exitCode, 0);
      assert.match(stdout, paths.length > 0 ? /^1\.\w+ {2}2 files, 6 B\n$/ : /^0\.\w+ {2}4 files, 3\.00 MB\n$/);
      const list = form === "tar" ? ["tar", "-tf", name] : ["python3", "-m", "zipfile", "-l", name];
      const listed = await run(list[0] ?? "", list.slice(1), { cwd: desk.directory });
      assert.ok(listed.stdout.includes("a/b/2.txt"));
      assert.equal(listed.stdout.includes("big"), paths.length === 0);
    }
    const again = await desk.artifact("extract", "sealed", "--key", "key", "--zip", "--out", "0.zip");
    assert.deepEqual([again.exitCode, again.stderr], [2, "0.zip is there already: name another file.\n"]);
    assert.deepEqual(
      (await desk.files()).filter((name) => name.includes("partial")),
      [],
    );
  });

  it("writes a tar or a ZIP to standard output, and nothing else", async (t) => {
    const desk = await openDesk(t);
    const command = `"${process.execPath}" "${program}" artifact extract sealed --key key`;
    await mkdir(desk.at("out"));
    await run("bash", ["-o", "pipefail", "-c", `${command} --tar | tar -x -C out`], { cwd: desk.directory });
    await assertTree(desk.at("out"), site);
    const zip = await run(
      "bash",
      ["-o", "pipefail", "-c", `${command} --zip a --json > a.zip; unzip -p a.zip a/b/2.txt`],
      {
        cwd: desk.directory,
      },
    );
    assert.equal(zip.stdout, "two");
  });

  const refused: readonly [string, readonly string[], number, RegExp][] = [
    ["both forms at once", ["--key", "key", "--tar", "--zip"], 2, /'--tar' cannot be used with option '--zip'/],
    ["no key", ["--out", "x"], 2, /--key/],
    ["a directory that is not empty", ["--key", "key", "--out", "site"], 2, /^site is not empty: name an empty or new/],
    ["the directory at hand, which is not empty", ["--key", "key"], 2, /^\. is not empty/],
    ["a path that is not in it", ["nowhere", "--key", "key", "--out", "x"], 1, /nothing at "nowhere"/],
    ["a wrong key", ["--key", "stranger", "--out", "x"], 4, /^None of the given keys/],
    [
      "a file where no file can be",
      ["--key", "key", "--tar", "--out", "no/x"],
      1,
      /^no\/x cannot be written: there is no/,
    ],
  ];
  it("is refused for what is not there, not right or in the way, and leaves nothing", async (t) => {
    const desk = await openDesk(t);
    const before = await readdir(desk.directory, { recursive: true });
    for (const [what, args, expected, message] of refused) {
      const { exitCode, stdout, stderr } = await desk.artifact("extract", "sealed", ...args);
      assert.deepEqual([exitCode, stdout], [expected, ""], what);
      assert.match(without(stderr), message);
      assert.deepEqual(await readdir(desk.directory, { recursive: true }), before, what);
    }
  });

  it("ends with 5 for a damaged artifact, and leaves no archive", async (t) => {
    const desk = await openDesk(t);
    await damage(desk.at("sealed/backup.tar.zst.enc"), 2_000_000);
    for (const form of ["tar", "zip"]) {
      const { exitCode, stderr } = await desk.artifact("extract", "sealed", "--key", "key", `--${form}`, "--out", "x");
      assert.equal(exitCode, 5, stderr);
      assert.match(without(stderr), /^The stored bytes are damaged: .* \(near byte 1,9\d\d,\d{3} of the file\)\.\n$/);
    }
    assert.ok(!(await desk.files()).some((name) => name.startsWith("x")));
    assert.equal((await desk.artifact("extract", "sealed", "--key", "key", "--out", "y")).exitCode, 5);
  });
});
