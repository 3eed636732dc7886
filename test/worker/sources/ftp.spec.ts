import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, rm, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import { stageFtpProxy } from "../../stage/ftp-proxy.ts";
import { ftpPackages } from "../../stage/peers/ftp-packages.ts";
import type { FtpServerOptions, StagedFtp } from "../../stage/peers/ftp-server.ts";
import { stageProftpd } from "../../stage/peers/proftpd.ts";
import { stageVsftpd } from "../../stage/peers/vsftpd.ts";
import {
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
import { codes, connectToFtp } from "./ftp-reading.ts";
import { collect, readContent } from "./reading.ts";

const packages = await ftpPackages();
const skip = "missing" in packages ? packages.missing : false;

const servers = [
  { name: "ProFTPD", stage: stageProftpd, listing: "MLSD" },
  { name: "vsftpd", stage: stageVsftpd, listing: "LIST" },
] as const;

type Stage = (options?: FtpServerOptions) => Promise<StagedFtp>;

async function serve(stage: Stage, nodes: Tree, options?: FtpServerOptions): Promise<StagedFtp> {
  const server = await stage(options);
  await writeTree(server.data, nodes, { owner: server.owner });
  return server;
}

for (const { name, stage, listing } of servers)
  describe(`an FTP source on ${name}, which lists with ${listing} and wants TLS sessions taken up again`, {
    skip,
  }, () => {
    it("is read byte for byte, whatever its names are", async () => {
      const nodes = tree({
        "site/index.html": "hello",
        "site/empty": "",
        "site/current": link("index.html"),
        "site/up": link("../empty"),
        "site/dangling": link("/nowhere/at all"),
        "empty/": directory,
        [`${"deep/".repeat(40)}file`]: seededBytes(70_000, "deep"),
        "täst 文件 🙂": "names are bytes",
        "twin e\u0301": "decomposed",
        "twin \u00e9": "composed",
        " leading": "1",
        "trailing ": "2",
        " both /in ": "3",
        "-option/-rf": "4",
        "glob*[a-z]?/x{1,2}": "5",
        "~root": "6",
        "quote ' \" `id` $(id); x | y": "7",
        "%s%n \\x": "8",
        ".hidden/.file": "9",
        "a -> b": "an arrow in a name",
        "to -> from": link("x -> y"),
        [`long/${"n".repeat(255)}`]: "255 bytes",
      });
      await using server = await serve(stage, nodes);
      await using source = await connectToFtp(server);
      const { described, warnings } = await collect(source);
      assert.deepEqual(described, describeTree(nodes));
      assert.deepEqual(warnings, []);
    });

    it("tells modes, owners and times", async () => {
      await using server = await serve(stage, tree({ script: file("#!/bin/sh", 0o4755), "box/": directory }));
      execFileSync("touch", ["-d", "2025-02-03T04:05:06Z", join(server.data, "script"), join(server.data, "box")]);
      await chmod(join(server.data, "box"), 0o1700);
      await using source = await connectToFtp(server);
      // Of last year LIST tells the day alone.
      const mtimeMs = listing === "MLSD" ? Date.UTC(2025, 1, 3, 4, 5, 6) : Date.UTC(2025, 1, 3);
      for await (const { path, bytes, content, ...facts } of source.entries(() => undefined)) {
        const { kind, size, mode } =
          path === "box" ? { kind: "directory", size: 0, mode: 0o1700 } : { kind: "file", size: 9, mode: 0o4755 };
        assert.deepEqual(facts, { kind, size, mode, mtimeMs, ...server.owner });
      }
    });

    it("gives 1,000 small files over several connections, and a file of 32 MiB and a byte", async () => {
      const nodes: Tree = new Map([...smallFiles(1_000), ...tree({ big: seededBytes(32 * 1024 * 1024 + 1, "big") })]);
      await using server = await serve(stage, nodes);
      await using source = await connectToFtp(server);
      const { described, warnings } = await collect(source);
      assert.deepEqual(described, describeTree(nodes));
      assert.deepEqual(warnings, []);
    });

    it("is read over the one connection that the server allows", async () => {
      const nodes: Tree = new Map([...smallFiles(120), ...tree({ d0a: seededBytes(9_000_000, "one at a time") })]);
      await using server = await serve(stage, nodes, { maxClients: 1 });
      await using source = await connectToFtp(server);
      const { described, warnings } = await collect(source);
      assert.deepEqual(described, describeTree(nodes));
      assert.deepEqual(warnings, []);
    });

    it("may be a part of what there is, a single file, or nothing at all", async () => {
      await using server = await serve(stage, tree({ "sub/one": "1", "sub/two": "22", "none/": directory }));
      await using part = await connectToFtp(server, { settings: { path: "sub/", exclude: ["one"] } });
      assert.deepEqual(Object.keys((await collect(part)).described), ["two"]);
      await using single = await connectToFtp(server, { settings: { path: "/sub/two" } });
      assert.deepEqual(Object.keys((await collect(single)).described), ["two"]);
      assert.deepEqual(await single.estimate(), { files: 1, bytes: 2 });
      await using none = await connectToFtp(server, { settings: { path: "/none" } });
      assert.deepEqual((await collect(none)).described, {});
      assert.equal(await none.estimate(), null);
    });

    it("says what it is when it is tested", async () => {
      await using server = await serve(stage, tree({ one: "1", "two/three": "3" }));
      await using source = await connectToFtp(server);
      const { hostKey, serverVersion, sampleEntries, remarks } = await source.identify();
      assert.equal(hostKey, null);
      assert.match(serverVersion ?? "", new RegExp(name, "i"));
      assert.deepEqual([...sampleEntries].sort(), ["one", "two"]);
      assert.ok(
        remarks.some((remark) => remark.includes(server.fingerprint)),
        "tells what could be pinned",
      );
      assert.ok(remarks.some((remark) => remark.includes(listing)));
    });

    it("leaves out pipes and sockets with a warning, without waiting for them", async () => {
      await using server = await serve(stage, tree({ pipe: fifo, file: "stays" }));
      await using socket = createServer().listen(join(server.data, "socket"));
      await once(socket, "listening");
      await using source = await connectToFtp(server, { stallMs: 2_000 });
      const { described, warnings } = await collect(source);
      assert.deepEqual(Object.keys(described), ["file"]);
      assert.deepEqual(codes(warnings), { pipe: "SPECIAL_SKIPPED", socket: "SPECIAL_SKIPPED" });
    });

    it("keeps names that are no UTF-8 and says so, and names those that no command can carry", async () => {
      await using server = await serve(stage, tree({ "new\nline": "1", "carriage\rreturn": "2", ok: "3" }));
      execFileSync("sh", ["-c", 'cd "$1" && printf 4 > "$(printf \'b\\377d\')" && chmod a+r b*', "sh", server.data]);
      await using source = await connectToFtp(server);
      const { described, warnings } = await collect(source);
      assert.deepEqual(Object.keys(described), ["b\\xffd", "ok"]);
      assert.deepEqual(codes(warnings), {
        "b\\xffd": "NAME_NOT_UTF8",
        "carriage\\x0dreturn": "NAME_REFUSED",
        "new\\x0aline": "NAME_REFUSED",
      });
    });

    it("keeps links into themselves as links, or says that the server hides where they lead", async () => {
      await using server = await serve(stage, tree({ "box/self": link("."), "box/up": link(".."), "box/file": "1" }));
      await using source = await connectToFtp(server);
      const { described, warnings } = await collect(source);
      const hidden = listing === "MLSD" ? { "box/self": "UNREADABLE", "box/up": "UNREADABLE" } : {};
      assert.deepEqual(codes(warnings), hidden);
      assert.deepEqual(Object.keys({ ...described, ...hidden }).sort(), ["box", "box/file", "box/self", "box/up"]);
      assert.equal(described["box/up"] ?? "link to ..", "link to ..");
    });

    it("goes on without what the user may not read", async () => {
      const big = seededBytes(5 * 1024 * 1024, "closed");
      await using server = await serve(
        stage,
        tree({ "closed/inside": "1", "blind/inside": "2", locked: "3", big, open: "4" }),
      );
      for (const path of ["closed", "locked", "big"]) await chmod(join(server.data, path), 0o000);
      await chmod(join(server.data, "blind"), 0o311);
      await using source = await connectToFtp(server);
      const { described, warnings } = await collect(source);
      assert.deepEqual(Object.keys(described), ["blind", "closed", "open"]);
      assert.deepEqual(codes(warnings), {
        blind: "UNREADABLE",
        closed: "UNREADABLE",
        locked: "UNREADABLE",
        big: "UNREADABLE",
      });
    });

    it("goes on without files that vanish after they were listed", async () => {
      const nodes = tree(
        Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index}`, `content ${index}`])),
      );
      await using server = await serve(stage, nodes);
      await using source = await connectToFtp(server);
      const warnings: Warning[] = [];
      let files = 0;
      for await (const entry of source.entries((warning) => warnings.push(warning))) {
        if (entry.kind !== "file") continue;
        await readContent(entry);
        if (files++ === 0) for (const path of nodes.keys()) await rm(join(server.data, path));
      }
      assert.ok(files < 300, "some were gone");
      assert.equal(files + warnings.length, 300);
      assert.deepEqual([...new Set(warnings.map(({ code }) => code))], ["VANISHED"]);
    });

    it("tells of a large file that shrank or grew while it was read", async () => {
      const size = 64 * 1024 * 1024;
      const content = seededBytes(size, "changing");
      const shrink = (path: string) => truncate(path, 60_000_000);
      const grow = (path: string) => writeFile(path, "more", { flag: "a" });
      for (const [change, length] of [
        [shrink, 60_000_000],
        [grow, size + 4],
      ] as const) {
        await using server = await serve(stage, tree({ file: content }));
        await using source = await connectToFtp(server);
        const warnings: Warning[] = [];
        for await (const entry of source.entries((warning) => warnings.push(warning))) {
          await change(join(server.data, "file"));
          const read = await readContent(entry);
          assert.equal(entry.size, size);
          const common = Math.min(size, length);
          assert.equal(sha256(read.subarray(0, common)), sha256(content.subarray(0, common)));
          // ProFTPD sends no more than there was at first: then only asking again tells.
          const told = read.length === length ? {} : { file: "CHANGED_WHILE_READ" };
          assert.deepEqual([codes(warnings), read.length], [told, listing === "MLSD" ? common : length]);
        }
      }
    });

    it("goes on at the byte where it was cut", async () => {
      const mebibyte = 1024 * 1024;
      const nodes: Tree = new Map([...smallFiles(40), ...tree({ big: seededBytes(24 * mebibyte, "cut") })]);
      await using server = await serve(stage, nodes, { tls: false });
      const cutAtBytes = [300, 5_000, 7 * mebibyte + 1, 15 * mebibyte, 23 * mebibyte];
      await using proxy = await stageFtpProxy(server, { cutAtBytes });
      await using source = await connectToFtp({ ...server, ...proxy }, { settings: { tls: "off" } });
      const { described, warnings } = await collect(source);
      assert.deepEqual(described, describeTree(nodes));
      assert.deepEqual(warnings, []);
      const restarts = proxy.commands.filter((command) => command.startsWith("REST "));
      const positions = restarts.map((command) => Number(command.slice("REST ".length)));
      assert.ok(positions.length >= 3, `went on at ${positions}`);
      assert.deepEqual(
        positions,
        [...new Set(positions)].sort((a, b) => a - b),
      );
    });
  });
