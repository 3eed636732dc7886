// Reading a tree of this machine that is odd, changes meanwhile or may not be read, and ending it at any moment.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { chmod, mkdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import type { Warning } from "#artifact/node";
import { file, seededBytes, writeTree as stageTree, tree } from "../stage/tree.ts";
import { contentsOf, heldEntries, isRoot, scratch } from "./local-trees.ts";
import { collect, sealTree } from "./sealing.ts";

const run = promisify(execFile);

describe("reading a tree", () => {
  it("takes a single file, by its name", async (t) => {
    const base = await scratch(t);
    await writeFile(join(base, "one file"), seededBytes(3_000_000, "one"));
    await symlink("one file", join(base, "by link"));
    for (const name of ["one file", "by link"]) {
      const entries = await collect(heldEntries(join(base, name)));
      assert.deepEqual(
        entries.map(({ path, kind, size }) => [path, kind, size]),
        [[name, "file", 3_000_000]],
      );
    }
  });

  it("follows a link that is the root, and none below it", async (t) => {
    const base = await scratch(t);
    await stageTree(join(base, "in"), tree({ "d/f": "x", l: { kind: "link", target: "d" } }));
    await symlink("in", join(base, "by link"));
    const entries = await collect(heldEntries(join(base, "by link")));
    assert.deepEqual(
      entries.map(({ path, kind }) => `${kind} ${path}`),
      ["directory d", "file d/f", "symlink l"],
    );
  });

  it("of nothing is an error", async (t) => {
    const base = await scratch(t);
    await assert.rejects(collect(heldEntries(join(base, "nowhere"))), { code: "ENOENT" });
  });

  it("leaves out pipes, sockets and devices with a warning, and waits for none of them", async (t) => {
    const base = await scratch(t);
    const at = (name: string) => join(base, "in", name);
    await writeFile(at("a"), "x");
    execFileSync("mkfifo", [at("pipe")]);
    if (isRoot) execFileSync("mknod", [at("device"), "c", "1", "5"]);
    const server = createServer().listen(at("socket"));
    t.after(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    const warnings: Warning[] = [];
    const entries = await collect(heldEntries(join(base, "in"), warnings));
    assert.deepEqual(
      entries.map(({ path }) => path),
      ["a"],
    );
    const expected = isRoot ? ["device", "pipe", "socket"] : ["pipe", "socket"];
    assert.deepEqual(
      warnings.map(({ code, path }) => `${code} ${path}`),
      expected.map((name) => `SPECIAL_SKIPPED ${name}`),
    );
  });

  for (const [what, change, lengthAfter] of [
    ["shrinks", (path: string) => truncate(path, 30_000_000), 30_000_000],
    ["grows", (path: string) => writeFile(path, Buffer.alloc(1000, 1), { flag: "a" }), 40_000_000],
  ] as const)
    it(`of a file that ${what} while it is read keeps the length it had, and warns`, async (t) => {
      const base = await scratch(t);
      const path = join(base, "in", "changing");
      const before = seededBytes(40_000_000, what);
      await writeFile(path, before);
      await writeFile(join(base, "in", "next"), "unharmed");
      const warnings: Warning[] = [];
      async function* entries() {
        for await (const entry of heldEntries(join(base, "in"), warnings, { whole: false })) {
          // No more of it has been read by now than the buffers hold.
          if (entry.path === "changing") await change(path);
          yield entry;
        }
      }
      const sealed = await sealTree(entries(), { warnings });
      assert.deepEqual(sealed.result.manifest.warnings, { CHANGED_WHILE_READ: 1 });
      await using artifact = await sealed.open();
      const contents = await collect(contentsOf(artifact.entries()));
      const changing = contents[0] ?? Buffer.alloc(0);
      assert.equal(changing.length, 40_000_000);
      assert.ok(changing.subarray(0, lengthAfter).equals(before.subarray(0, lengthAfter)));
      assert.ok(changing.subarray(lengthAfter).every((byte) => byte === 0));
      assert.equal(contents[1]?.toString(), "unharmed");
    });

  it("goes on with a warning where files vanish or become something else meanwhile", async (t) => {
    const base = await scratch(t);
    // More than is read ahead, so that what is changed at the first entry is still to come.
    await writeFile(join(base, "in", "a"), seededBytes(20_000_000, "first"));
    for (const name of ["b", "c", "e"]) await writeFile(join(base, "in", name), name);
    await mkdir(join(base, "in", "d"));
    const warnings: Warning[] = [];
    const seen: string[] = [];
    for await (const { path, content } of heldEntries(join(base, "in"), warnings, { whole: false })) {
      if (path === "a") {
        await rm(join(base, "in", "b"));
        await rm(join(base, "in", "c"));
        execFileSync("mkfifo", [join(base, "in", "c")]);
        await rm(join(base, "in", "d"), { recursive: true });
        await symlink("/etc", join(base, "in", "d"));
      }
      if (content) for await (const _ of content);
      seen.push(String(path));
    }
    assert.deepEqual(seen, ["a", "e"]);
    assert.deepEqual(
      warnings.map(({ code, path }) => `${code} ${path}`),
      ["VANISHED b", "VANISHED c", "VANISHED d"],
    );
  });

  it("skips the content that nobody reads", async (t) => {
    const base = await scratch(t);
    await stageTree(join(base, "in"), tree({ a: seededBytes(9_000_000, "a"), b: "b", c: seededBytes(3_000_000, "c") }));
    const seen: string[] = [];
    for await (const { path } of heldEntries(join(base, "in"), [], { whole: false })) seen.push(String(path));
    assert.deepEqual(seen, ["a", "b", "c"]);
  });

  it("tells what it may not read, and reads the rest", {
    skip: !isRoot && "becoming another user needs root",
  }, async (t) => {
    const base = await scratch(t);
    await chmod(base, 0o755);
    await stageTree(join(base, "in"), tree({ "closed/f": "x", "open/f": "x", secret: file("x", 0o600) }));
    await chmod(join(base, "in", "closed"), 0o700);
    const script = `
      import { readTree } from ${JSON.stringify(new URL("../../artifact/node.ts", import.meta.url).href)};
      const seen = [];
      const warn = ({ code, path }) => seen.push(code + " " + path);
      for await (const { path } of readTree(${JSON.stringify(join(base, "in"))}, { warn, signal: new AbortController().signal }))
        seen.push(path);
      process.stdout.write(JSON.stringify(seen));`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { uid: 65_534, gid: 65_534 });
    assert.deepEqual(JSON.parse(stdout), ["closed", "UNREADABLE closed", "open", "open/f", "UNREADABLE secret"]);
  });

  it("ends at once when it is aborted, before, between or within its entries, and leaves nothing running", async (t) => {
    const base = await scratch(t);
    await stageTree(join(base, "in"), tree({ a: "x", b: seededBytes(30_000_000, "b"), c: "x" }));
    const script = `
      import { readTree } from ${JSON.stringify(new URL("../../artifact/node.ts", import.meta.url).href)};
      for (const at of ["before", "a", "b", "within"]) {
        const aborting = new AbortController();
        if (at === "before") aborting.abort(new Error("canceled"));
        const options = { warn() {}, signal: aborting.signal };
        try {
          for await (const { path, content } of readTree(${JSON.stringify(join(base, "in"))}, options)) {
            if (path === at) aborting.abort(new Error("canceled"));
            if (content) for await (const _ of content) if (at === "within") aborting.abort(new Error("canceled"));
          }
          process.stdout.write("not ended at " + at + " ");
        } catch (error) {
          process.stdout.write(error.message + " ");
        }
      }`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { timeout: 20_000 });
    assert.equal(stdout, "canceled canceled canceled canceled ");
  });

  it("leaves nothing running when it is given up", async (t) => {
    const base = await scratch(t);
    await stageTree(join(base, "in"), tree({ a: "x", b: seededBytes(30_000_000, "b"), c: "x" }));
    const script = `
      import { readTree } from ${JSON.stringify(new URL("../../artifact/node.ts", import.meta.url).href)};
      for await (const _ of readTree(${JSON.stringify(join(base, "in"))}, { warn() {}, signal: new AbortController().signal })) break;
      process.stdout.write("over");`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { timeout: 20_000 });
    assert.equal(stdout, "over");
  });
});
