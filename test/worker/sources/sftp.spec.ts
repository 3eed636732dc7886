import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, rm, truncate, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import { SftpSession } from "../../../worker/sources/sftp/session.ts";
import { connectSsh } from "../../../worker/sources/ssh/connection.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import {
  describeFile,
  describeTree,
  directory,
  fifo,
  file,
  link,
  seededBytes,
  sha256,
  smallFiles,
  type Tree,
  tree,
  writeTree,
} from "../../stage/tree.ts";
import { collect, connectTo, loopback, readContent } from "./reading.ts";

const skip = missingOpenSsh ?? false;

async function serve(nodes: Tree): Promise<StagedOpenSsh> {
  const sshd = await stageOpenSsh();
  await writeTree(sshd.data, nodes, { owner: sshd.owner });
  return sshd;
}

describe("an SFTP source", { skip }, () => {
  it("is read with a password, byte for byte", async () => {
    const nodes = tree({
      "site/index.html": "hello",
      "site/empty": "",
      "site/current": link("index.html"),
      "site/dangling": link("/nowhere/at all"),
      "site/loop": link("."),
      "empty/": directory,
      "a/b/c/d/e/deep": seededBytes(70_000, "deep"),
      "täst 文件 🙂": "names are bytes",
      "new\nline 'quoted' \"twice\" -x ": "odd",
      [`long/${"n".repeat(255)}`]: "255 bytes",
      private: file("secret", 0o600),
    });
    await using sshd = await serve(nodes);
    await using source = await connectTo(sshd);
    const { described, warnings } = await collect(source);
    const plain = new Map([...nodes].map(([path, node]) => [path, node.kind === "file" ? file(node.content) : node]));
    assert.deepEqual(described, describeTree(plain));
    assert.deepEqual(warnings, []);
  });

  it("tells modes, times and owners", async () => {
    await using sshd = await serve(tree({ script: file("#!/bin/sh", 0o4755) }));
    execFileSync("touch", ["-d", "2001-02-03T04:05:06Z", join(sshd.data, "script")]);
    await using source = await connectTo(sshd);
    for await (const { path, mode, mtimeMs, uid, gid } of source.entries(() => undefined))
      assert.deepEqual(
        { path, mode, mtimeMs, uid, gid },
        { path: "script", mode: 0o4755, mtimeMs: Date.UTC(2001, 1, 3, 4, 5, 6), ...sshd.owner },
      );
  });

  it("is read with a key, and with a key under a passphrase", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    for (const secrets of [{ privateKey: sshd.privateKey }, sshd.lockedKey]) {
      await using source = await connectTo(sshd, { secrets });
      assert.deepEqual(Object.keys((await collect(source)).described), ["one"]);
    }
  });

  it("may be a single file, or a link to a directory", async () => {
    await using sshd = await serve(tree({ "sub/one": "1", alias: link("sub") }));
    await using single = await connectTo(sshd, { path: join(sshd.data, "sub/one") });
    assert.deepEqual(Object.keys((await collect(single)).described), ["one"]);
    assert.deepEqual(await single.estimate(), { files: 1, bytes: 1 });
    await using linked = await connectTo(sshd, { path: join(sshd.data, "alias/") });
    assert.deepEqual(Object.keys((await collect(linked)).described), ["one"]);
  });

  it("says what it is when it is tested", async () => {
    await using sshd = await serve(tree({ one: "1", "two/three": "3" }));
    await using source = await connectTo(sshd, { pinned: { hostKey: null, jumpHostKey: null } });
    const { hostKey, serverVersion, sampleEntries } = await source.identify();
    assert.equal(hostKey, sshd.hostKey);
    assert.match(serverVersion ?? "", /^OpenSSH_\d/);
    assert.deepEqual([...sampleEntries].sort(), ["one", "two"]);
  });

  it("gives 2,000 small files in one piece each", async () => {
    const nodes = smallFiles(2000);
    await using sshd = await serve(nodes);
    await using source = await connectTo(sshd);
    const { described, warnings } = await collect(source);
    assert.deepEqual(described, describeTree(nodes));
    assert.deepEqual(warnings, []);
  });

  it("gives a file of 64 MiB and a byte", async () => {
    const nodes = tree({ big: seededBytes(64 * 1024 * 1024 + 1, "big") });
    await using sshd = await serve(nodes);
    await using source = await connectTo(sshd);
    assert.deepEqual((await collect(source)).described, describeTree(nodes));
  });

  it("answers one small request after the other without Nagle's delay", async (context) => {
    const noDelay = context.mock.method(Socket.prototype, "setNoDelay");
    await using sshd = await serve(tree({ file: seededBytes(1024 * 1024, "serial") }));
    const { host, port, username, password, hostKey } = sshd;
    const signal = AbortSignal.timeout(30_000);
    const target = { host, port, username, signIn: { password }, pinnedHostKey: hostKey };
    const route = { target, jump: null, allowedNetworks: loopback, signal, stallMs: 30_000 };
    await using connection = await connectSsh(route);
    const session = await SftpSession.open(connection, 30_000);
    const handle = await session.open(join(sshd.data, "file"));
    const readsMs: number[] = [];
    for (let at = 0; at < 1024 * 1024; at += 32_768) {
      const startedAt = performance.now();
      assert.equal((await session.read(handle, at, 32_768)).length, 32_768);
      readsMs.push(performance.now() - startedAt);
    }
    // Where it strikes, it strikes nearly every time; a busy machine does not.
    assert.ok((readsMs.sort((a, b) => a - b)[8] ?? 99) < 30, `${readsMs} ms`);
    assert.deepEqual(
      noDelay.mock.calls.map((call) => call.arguments),
      [[true]],
    );
  });
});

describe("what an SFTP source leaves out", { skip }, () => {
  it("are pipes and sockets, with a warning and without waiting for them", async () => {
    await using sshd = await serve(tree({ pipe: fifo, file: "stays" }));
    await using source = await connectTo(sshd);
    const { described, warnings } = await collect(source);
    assert.deepEqual(Object.keys(described), ["file"]);
    assert.deepEqual(codes(warnings), { pipe: "SPECIAL_SKIPPED" });
  });

  it("are names that are no UTF-8, and links to them", async () => {
    await using sshd = await serve(tree({ ok: "ok" }));
    execFileSync("sh", [
      "-c",
      'cd "$1" && : > "$(printf \'b\\377d\')" && ln -s "$(printf \'b\\377d\')" l',
      "sh",
      sshd.data,
    ]);
    await using source = await connectTo(sshd);
    const { described, warnings } = await collect(source);
    assert.deepEqual(Object.keys(described), ["ok"]);
    assert.deepEqual(codes(warnings), { "b\ufffdd": "NAME_NOT_UTF8", l: "NAME_NOT_UTF8" });
  });

  it("are files and directories that the user may not read", async () => {
    await using sshd = await serve(tree({ "closed/inside": "1", locked: "2", open: "3" }));
    await chmod(join(sshd.data, "closed"), 0o000);
    await chmod(join(sshd.data, "locked"), 0o000);
    await using source = await connectTo(sshd);
    const { described, warnings } = await collect(source);
    assert.deepEqual(Object.keys(described), ["closed", "open"]);
    assert.deepEqual(codes(warnings), { closed: "UNREADABLE", locked: "UNREADABLE" });
  });

  it("are files that vanish after they were listed", async () => {
    const nodes = smallFiles(300);
    await using sshd = await serve(nodes);
    await using source = await connectTo(sshd);
    const warnings: Warning[] = [];
    let files = 0;
    for await (const entry of source.entries((warning) => warnings.push(warning))) {
      if (entry.kind !== "file") continue;
      await readContent(entry);
      if (files++ === 0) for (const path of nodes.keys()) await rm(join(sshd.data, path));
    }
    assert.ok(files < 300, "some were gone");
    assert.equal(files + warnings.length, 300);
    assert.deepEqual([...new Set(warnings.map(({ code }) => code))], ["VANISHED"]);
  });
});

describe("a file that changes while it is read", { skip }, () => {
  const size = 8 * 1024 * 1024;

  async function readWhile(change: (path: string) => Promise<void>) {
    await using sshd = await serve(tree({ file: seededBytes(size, "changing") }));
    await using source = await connectTo(sshd);
    for await (const entry of source.entries(() => undefined)) {
      await change(join(sshd.data, "file"));
      return { announced: entry.size, content: await readContent(entry) };
    }
    throw new Error("nothing was listed");
  }

  it("ends early where it shrank", async () => {
    const { announced, content } = await readWhile((path) => truncate(path, 5_000_000));
    assert.equal(announced, size);
    assert.deepEqual([content.length, sha256(content)], [5_000_000, sha256(seededBytes(5_000_000, "changing"))]);
  });

  it("goes on for a byte where it grew", async () => {
    const { announced, content } = await readWhile((path) => writeFile(path, "more", { flag: "a" }));
    assert.equal(announced, size);
    assert.equal(content.length, size + 1);
    assert.equal(
      describeFile(size, sha256(content.subarray(0, size))),
      describeFile(size, sha256(seededBytes(size, "changing"))),
    );
  });
});

function codes(warnings: readonly Warning[]): Record<string, string> {
  return Object.fromEntries(warnings.map(({ path, code }) => [path, code]));
}
