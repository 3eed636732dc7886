// Unpacking into a directory of this machine: nothing is written over, and everything has its place.
import assert from "node:assert/strict";
import { lstat, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { extractTree, NotEmptyError, writeTree } from "#artifact/node";
import { assertTree, seededBytes, tree } from "../stage/tree.ts";
import { scratch, ways } from "./local-trees.ts";
import { file as entryOf, folder, link as linkTo, sealTree } from "./sealing.ts";

for (const [name, unpack] of Object.entries(ways))
  describe(`unpacking ${name}`, () => {
    it("refuses a directory that is not empty, and leaves it as it was", async (t) => {
      const base = await scratch(t);
      const sealed = await sealTree([entryOf("a", "mine")]);
      await writeFile(join(base, "in", "a"), "yours");
      await assert.rejects(unpack(sealed, join(base, "in")), NotEmptyError);
      assert.equal(await readFile(join(base, "in", "a"), "utf8"), "yours");
      assert.deepEqual(await readdir(join(base, "in")), ["a"]);
    });

    it("takes an empty directory, and makes one with those above it", async (t) => {
      const base = await scratch(t);
      const sealed = await sealTree([entryOf("a", "x")]);
      await unpack(sealed, join(base, "in"));
      await unpack(sealed, join(base, "far/away"));
      for (const out of ["in", "far/away"]) await assertTree(join(base, out), tree({ a: "x" }));
    });

    it("writes over nothing, though a name comes twice", async (t) => {
      const base = await scratch(t);
      const sealed = await sealTree([entryOf("a", "first"), entryOf("a", "second")]);
      await assert.rejects(unpack(sealed, join(base, "out")), { code: "EEXIST" });
      assert.equal(await readFile(join(base, "out/a"), "utf8"), "first");
    });

    it("makes the directories that have no entry of their own", async (t) => {
      const base = await scratch(t);
      const names = [entryOf("a/b/c", "x"), linkTo("d/e", "../a"), linkTo("f/g", "a/b/c", "hardlink"), folder("h/i")];
      await unpack(await sealTree(names), join(base, "out"));
      assert.equal(await readFile(join(base, "out/d/e/b/c"), "utf8"), "x");
      assert.equal(await readFile(join(base, "out/f/g"), "utf8"), "x");
      assert.ok((await lstat(join(base, "out/h/i"))).isDirectory());
    });

    it("ends at once when it is aborted", async (t) => {
      const base = await scratch(t);
      const sealed = await sealTree([entryOf("a", seededBytes(30_000_000, "a")), entryOf("b", "x")]);
      const aborting = new AbortController();
      await using artifact = await sealed.open();
      const options = { signal: aborting.signal, onProgress: () => aborting.abort(new Error("canceled")) };
      const work =
        name === "entry by entry"
          ? writeTree(artifact.entries(), join(base, "out"), options)
          : extractTree(artifact, join(base, "out"), options);
      await assert.rejects(work, (error: Error) => /canceled/.test(`${error.message} ${error.cause}`));
      await pause(50);
      assert.ok(!(await readdir(join(base, "out"))).includes("b"));
    });
  });
