import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, linkSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { chmod, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { stageRogueHost } from "../../stage/rogue-host.ts";
import { describeTree, directory, fifo, file, link, seededBytes, tree } from "../../stage/tree.ts";
import { collect } from "./reading.ts";
import { connect, kinds, serve } from "./ssh-files.ts";

const skip = missingOpenSsh ?? false;

for (const [name, kind] of Object.entries(kinds))
  describe(`an SSH source read by ${name}`, { skip: skip || kind.skip }, () => {
    const { options } = kind;

    it("is read byte for byte, whatever its names", async () => {
      const nodes = tree({
        "site/index.html": "hello",
        "site/empty": "",
        "site/current": link("index.html"),
        "site/dangling": link("/nowhere/at all"),
        "site/out": link("../../../etc/passwd"),
        "site/loop": link("."),
        "empty/": directory,
        "täst 文件 🙂": "names are bytes",
        "nfc-\u00e9": "composed",
        "nfc-e\u0301": "decomposed",
        "new\nline 'quoted' \"twice\" -x ": "odd",
        "-rf": "a dash first",
        "$(touch canary)`touch canary`;x": "a shell's words",
        "back\\slash\\\\n": "backslashes",
        ...Object.fromEntries(
          [0, 1, 511, 512, 513, 32_768].map((size) => [`sizes/${size}`, seededBytes(size, "size")]),
        ),
        [`long/${"n".repeat(255)}`]: "255 bytes",
        [`${"deep/".repeat(40)}file`]: "40 levels",
        big: seededBytes(5 * 1024 * 1024 + 1, "big"),
      });
      await using sshd = await serve(nodes, options);
      await using source = await connect(sshd);
      assert.deepEqual(Object.keys((await source.identify()).tools), kind.tool ? [kind.tool] : []);
      const { described, warnings } = await collect(source);
      assert.deepEqual(described, describeTree(nodes));
      assert.deepEqual(warnings, []);
    });

    it("gives paths as long as a path may be", async () => {
      await using sshd = await serve(tree({}), options);
      // Sixteen times 255 and a slash, on top of the path of the data itself.
      const parts = Array.from({ length: 15 }, (_, index) => `${index}`.padEnd(254, "p"));
      const room = 4095 - sshd.data.length - 1 - parts.join("/").length - 1;
      const path = [...parts, "f".repeat(Math.min(255, room))].join("/");
      mkdirSync(join(sshd.data, ...parts), { recursive: true });
      writeFileSync(join(sshd.data, path), "far down");
      await using source = await connect(sshd);
      const { described, warnings } = await collect(source);
      assert.equal(Object.keys(described).sort((a, b) => b.length - a.length)[0], path);
      assert.deepEqual(warnings, []);
    });

    it("tells modes, times and owners", async () => {
      await using sshd = await serve(tree({ script: file("#!/bin/sh", 0o4755) }), options);
      execFileSync("touch", ["-d", "2001-02-03T04:05:06Z", join(sshd.data, "script")]);
      await using source = await connect(sshd);
      for await (const { path, mode, mtimeMs, uid, gid } of source.entries(() => undefined))
        assert.deepEqual(
          { path, mode, mtimeMs, uid, gid },
          { path: "script", mode: 0o4755, mtimeMs: Date.UTC(2001, 1, 3, 4, 5, 6), ...sshd.owner },
        );
    });

    it("leaves out pipes, sockets and devices, with a warning and without waiting for them", async () => {
      await using sshd = await serve(tree({ pipe: fifo, file: "stays" }), options);
      execFileSync("python3", ["-c", `import socket; socket.socket(socket.AF_UNIX).bind("${sshd.data}/socket")`]);
      await using source = await connect(sshd);
      const { described, warnings } = await collect(source);
      assert.deepEqual(Object.keys(described), ["file"]);
      assert.deepEqual(codes(warnings), { pipe: "SPECIAL_SKIPPED", socket: "SPECIAL_SKIPPED" });
    });

    it("may be a single file, a link to a file or to a directory, and nothing at all", async () => {
      await using sshd = await serve(
        tree({
          "sub/one": "1",
          alias: link("sub"),
          "to one": link("sub/one"),
          "none/": directory,
          "-": "dash",
          "tab\\tstop": "escaped",
        }),
        options,
      );
      const read = async (path: string) => {
        await using source = await connect(sshd, { path: join(sshd.data, path) });
        const sample = (await source.identify()).sampleEntries;
        return { sample, estimate: await source.estimate(), described: (await collect(source)).described };
      };
      const one = { estimate: { files: 1, bytes: 1 }, described: describeTree(tree({ one: "1" })) };
      assert.deepEqual(await read("sub/one"), { sample: ["one"], ...one });
      assert.deepEqual(await read("to one"), {
        ...{ sample: ["to one"], estimate: { files: 1, bytes: 1 } },
        described: describeTree(tree({ "to one": "1" })),
      });
      assert.deepEqual(await read("alias/"), { sample: ["one"], ...one, estimate: null });
      assert.deepEqual(await read("none"), { sample: [], estimate: null, described: {} });
      for (const odd of ["-", "tab\\tstop"]) assert.deepEqual(Object.keys((await read(odd)).described), [odd]);
    });

    it("is PATH_NOT_FOUND where it is missing, closed to the user, or a pipe", async () => {
      await using sshd = await serve(tree({ "closed/file": "1", shut: "2", pipe: fifo }), options);
      await chmod(join(sshd.data, "closed"), 0o300);
      await chmod(join(sshd.data, "shut"), 0o000);
      const failing = [
        { path: "missing", message: /does not exist on the server/ },
        { path: "closed", message: /has no right to read/ },
        { path: "shut", message: /has no right to read/ },
        { path: "pipe", message: /neither a file nor a directory/ },
      ];
      for (const { path, message } of failing) {
        await using source = await connect(sshd, { path: join(sshd.data, path) });
        for (const attempt of [() => source.identify(), () => source.estimate(), () => collect(source)])
          await assert.rejects(attempt(), { name: "SourceError", code: "PATH_NOT_FOUND", message });
      }
    });

    it("warns of what the user may not read, and reads the rest", async () => {
      await using sshd = await serve(tree({ "closed/inside": "1", "lo: ck\\ed": "2", open: "3" }), options);
      await chmod(join(sshd.data, "closed"), 0o000);
      await chmod(join(sshd.data, "lo: ck\\ed"), 0o000);
      await using source = await connect(sshd);
      const { described, warnings } = await collect(source);
      assert.deepEqual(
        Object.keys(described).filter((path) => path !== "closed"),
        ["open"],
      );
      assert.deepEqual(codes(warnings), { closed: "UNREADABLE", "lo: ck\\ed": "UNREADABLE" });
    });

    it("takes what would be a shell's command for a path, and nothing else", async () => {
      const dangerous = [
        "x; touch canary",
        "$(touch canary)",
        "`touch canary`",
        "a\ntouch canary\n",
        "-oProxyCommand=touch canary",
        "--checkpoint-action=exec=touch canary",
        "'; touch canary; '",
        "*",
      ];
      await using sshd = await serve(tree(Object.fromEntries(dangerous.map((path) => [`${path}/in`, path]))), options);
      for (const path of dangerous) {
        // Also as one that begins where the sign-in leads, so that nothing stands before it.
        await symlink(join(sshd.data, path), join(sshd.home, path));
        for (const way of [join(sshd.data, path), path]) {
          await using source = await connect(sshd, { path: way });
          assert.deepEqual((await collect(source)).described, describeTree(tree({ in: path })), way);
        }
      }
      const places = [sshd.data, sshd.home, ...dangerous.map((path) => join(sshd.data, path))];
      assert.ok(!places.some((place) => existsSync(join(place, "canary"))));
    });
  });

describe("hard links on an SSH server", { skip }, () => {
  for (const [name, { options, skip: without }] of Object.entries(kinds).slice(0, 2))
    it(`stay hard links, read by ${name}`, { skip: without }, async () => {
      await using sshd = await serve(tree({ "a/one": "shared", "b/": directory }), options);
      linkSync(join(sshd.data, "a/one"), join(sshd.data, "b/two"));
      await using source = await connect(sshd);
      const { described } = await collect(source);
      const shared = describeTree(tree({ "a/one": "shared" }))["a/one"];
      const { "a/one": one, "b/two": two } = described;
      const found = one === shared ? { one, two } : { one: two, two: one };
      assert.deepEqual(found, { one: shared, two: one === shared ? "same as a/one" : "same as b/two" });
    });
});

describe("names that are no UTF-8", { skip }, () => {
  const makeNames = ["-c", 'cd "$1" && echo 1 > "$(printf \'b\\377d\')" && ln -s "$(printf \'b\\377d\')" l', "sh"];

  it("are read byte for byte by tar", async () => {
    await using sshd = await serve(tree({ ok: "ok" }));
    execFileSync("sh", [...makeNames, sshd.data]);
    await using source = await connect(sshd);
    const names: Buffer[] = [];
    const warnings: Warning[] = [];
    for await (const { path, linkTarget } of source.entries((warning) => warnings.push(warning)))
      names.push(Buffer.from(path), Buffer.from(linkTarget ?? ""));
    const onDisk = readdirSync(sshd.data, { encoding: "buffer" });
    assert.deepEqual(
      names
        .filter((each) => each.length > 0)
        .map((each) => each.toString("latin1"))
        .sort(),
      [...onDisk.map((each) => each.toString("latin1")), "b\xffd"].sort(),
    );
    assert.deepEqual(warnings, []);
  });

  it("are shown with their bytes where something is amiss with them", async () => {
    await using sshd = await serve(tree({ ok: "ok" }));
    execFileSync("sh", [...makeNames, sshd.data]);
    chmodSync(Buffer.from(`${sshd.data}/b\xffd`, "latin1"), 0o000);
    await using source = await connect(sshd);
    const { warnings } = await collect(source);
    assert.deepEqual(codes(warnings), { "b\\xffd": "UNREADABLE" });
  });
});

describe("an SSH server that runs no commands", { skip }, () => {
  it("is read over SFTP where it is a jail", async () => {
    const nodes = tree({ "site/index.html": "in jail", link: link("site") });
    await using sshd = await serve(nodes, { only: "jail" });
    await using source = await connect(sshd, { path: "/data" });
    const { remarks, tools, sampleEntries } = await source.identify();
    assert.match(remarks.join(), /read over SFTP/);
    assert.deepEqual(
      { tools, sampleEntries: [...sampleEntries].sort() },
      { tools: {}, sampleEntries: ["link", "site"] },
    );
    assert.deepEqual((await collect(source)).described, describeTree(nodes));
  });

  it("is read over SFTP where it refuses them", async () => {
    await using rogue = await stageRogueHost({ names: [{ name: "file", size: 3 }] });
    await using source = await connect(rogue, { path: "/" });
    assert.match((await source.identify()).remarks.join(), /runs no commands/);
    assert.deepEqual(Object.keys((await collect(source)).described), ["file"]);
  });

  it("is read over SFTP where its tar is unknown", async () => {
    await using sshd = await serve(tree({ one: "1" }), { programs: { tar: "echo bsdtar 3.5.1 - libarchive" } });
    await using source = await connect(sshd);
    assert.deepEqual((await source.identify()).tools, {});
    assert.deepEqual(Object.keys((await collect(source)).described), ["one"]);
  });

  it("fails as SOURCE_DISCONNECTED where it offers no SFTP either", async () => {
    await using sshd = await stageOpenSsh({ sftp: false, shell: "/usr/sbin/nologin" });
    await assert.rejects(connect(sshd), { name: "SourceError", code: "SOURCE_DISCONNECTED", message: /SFTP/ });
  });
});

describe("a shell that talks before it works", { skip }, () => {
  it("does not disturb what is read", async () => {
    const nodes = tree({ one: "1", "two/three": seededBytes(100_000, "3") });
    await using sshd = await serve(nodes, { shell: "/bin/bash" });
    await writeFile(join(sshd.home, ".bashrc"), "echo Welcome; echo tar: trouble >&2; seq 1 20000\n");
    await using source = await connect(sshd);
    assert.deepEqual([...(await source.identify()).sampleEntries].sort(), ["one", "two"]);
    assert.deepEqual((await collect(source)).described, describeTree(nodes));
  });

  it("is not waited for for ever", async () => {
    await using sshd = await serve(tree({ one: "1" }), { shell: "/bin/bash" });
    await writeFile(join(sshd.home, ".bashrc"), "sleep 600\n");
    await using source = await connect(sshd, { stallMs: 1000 });
    assert.deepEqual((await source.identify()).tools, {});
    assert.deepEqual(Object.keys((await collect(source)).described), ["one"]);
  });

  it("does not talk for ever", async () => {
    await using sshd = await serve(tree({ one: "1" }), { shell: "/bin/bash", sftp: false });
    await writeFile(join(sshd.home, ".bashrc"), "yes\n");
    await assert.rejects(connect(sshd), { name: "SourceError", code: "SOURCE_DISCONNECTED" });
  });
});

function codes(warnings: readonly Warning[]): Record<string, string> {
  return Object.fromEntries(warnings.map(({ path, code }) => [path, code]));
}
