import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import { connectSftp } from "../../../worker/sources/sftp.ts";
import type { ConnectSource } from "../../../worker/sources/source.ts";
import { connectSshFiles } from "../../../worker/sources/ssh.ts";
import { type Faults, stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingOpenSsh, type StagedOpenSsh } from "../../stage/peers/openssh.ts";
import { seededBytes, smallFiles, tree } from "../../stage/tree.ts";
import { collect, connectTo } from "./reading.ts";
import { connect, kinds, serve } from "./ssh-files.ts";

const skip = missingOpenSsh ?? false;
const mebibyte = 1024 * 1024;
/** A cut lands somewhere else in every run; this names it. */
const seed = `${Date.now()}`;

function somewhere(index: number, from: number, to: number): number {
  const share = createHash("sha256").update(`${seed}-${index}`).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(from + share * (to - from));
}

const types: Readonly<Record<string, ConnectSource>> = { SSH: connectSshFiles, SFTP: connectSftp };

for (const [type, connectType] of Object.entries(types))
  describe(`the network between us and an ${type} source`, { skip }, () => {
    /** Small files, large ones and an end that is as long as a buffer. */
    const nodes = new Map([
      ...smallFiles(300),
      ...tree({ big: seededBytes(3 * mebibyte, "big"), bigger: seededBytes(5 * mebibyte, "bigger") }),
    ]);
    const signInBytes = 4_000;
    const allBytes = 8 * mebibyte;

    async function readBehind(sshd: StagedOpenSsh, faults: Faults, stallMs: number): Promise<void> {
      await using proxy = await stageFaultProxy(sshd, faults);
      await using source = await connectTo({ ...sshd, port: proxy.port }, { connect: connectType, stallMs });
      await collect(source);
    }

    it(`ends the backup as SOURCE_DISCONNECTED where it is cut, wherever that is (seed ${seed})`, async () => {
      await using sshd = await serve(nodes);
      await readBehind(sshd, {}, 20_000);
      for (let index = 0; index < 8; index++) {
        const cutAtByte = somewhere(index, signInBytes, allBytes);
        await assert.rejects(
          readBehind(sshd, { cutAtByte }, 20_000),
          { name: "SourceError", code: "SOURCE_DISCONNECTED" },
          `cut at ${cutAtByte}`,
        );
      }
    });

    it(`ends the backup as SOURCE_STALLED where it falls silent, wherever that is (seed ${seed})`, async () => {
      await using sshd = await serve(nodes);
      for (let index = 0; index < 4; index++) {
        const stallAtByte = somewhere(index, signInBytes, allBytes);
        const startedAt = performance.now();
        await assert.rejects(
          readBehind(sshd, { stallAtByte }, 400),
          { name: "SourceError", code: "SOURCE_STALLED" },
          `stalled at ${stallAtByte}`,
        );
        assert.ok(performance.now() - startedAt < 10_000);
      }
    });
  });

const { "BusyBox by its own name": _, ...changing } = kinds;

for (const [name, { options, skip: without }] of Object.entries(changing))
  describe(`files that change while they are read by ${name}`, { skip: skip || without }, () => {
    const size = 24 * mebibyte;

    /** The first file is far larger than all that is under way at a time; the change comes when it has begun to arrive. */
    async function readWhile(change: (data: string, path: string) => void) {
      await using sshd = await serve(
        tree({ one: seededBytes(size, "one"), two: seededBytes(size, "two"), three: seededBytes(size, "three") }),
        options,
      );
      await using source = await connect(sshd);
      const warnings: Warning[] = [];
      const lengths = new Map<string, number>();
      let first: string | undefined;
      for await (const { path, content, bytes, size: announced } of source.entries((each) => warnings.push(each))) {
        let length = bytes?.length ?? 0;
        for await (const chunk of content ?? []) {
          if (!first) {
            first = String(path);
            change(sshd.data, first);
          }
          length += chunk.length;
        }
        assert.ok(length <= (announced ?? 0) + 1);
        lengths.set(String(path), length);
      }
      return { first: first ?? "", lengths, warned: warnings.map(({ code, path }) => `${code} ${path}`) };
    }
    const others = (path: string) => ["one", "two", "three"].filter((each) => each !== path);
    const isOverSftp = options.shell !== undefined;
    const isBusybox = options.programs !== undefined;

    it("are cut or warned of where they grow", async () => {
      const { first, lengths, warned } = await readWhile((data, path) => appendFileSync(join(data, path), "more"));
      if (isOverSftp) assert.equal(lengths.get(first), size + 1);
      else assert.equal(lengths.get(first), size);
      if (!isOverSftp && !isBusybox) assert.deepEqual(warned, [`CHANGED_WHILE_READ ${first}`]);
    });

    it("are never shorter than announced without a word", async () => {
      const reading = readWhile((data, path) => truncateSync(join(data, path), 1000));
      // BusyBox gives up on the spot.
      if (isBusybox)
        return assert.rejects(reading, { name: "SourceError", code: "DUMP_TRUNCATED", message: /became shorter/ });
      const { first, lengths, warned } = await reading;
      if (isOverSftp) assert.ok((lengths.get(first) ?? 0) < size);
      else
        assert.deepEqual(
          { length: lengths.get(first), warned },
          { length: size, warned: [`CHANGED_WHILE_READ ${first}`] },
        );
    });

    it("are warned of where they vanish or are closed before their turn", async () => {
      const { first, lengths, warned } = await readWhile((data, path) => {
        const [gone = "", closed = ""] = others(path);
        rmSync(join(data, gone));
        chmodSync(join(data, closed), 0);
      });
      const [gone = "", closed = ""] = others(first);
      // Over SFTP the next files are open by then, and stay readable.
      if (isOverSftp) return assert.deepEqual(warned, []);
      assert.deepEqual([...lengths.keys()], [first]);
      // Where a file went away, its directory has changed as well.
      const ofFiles = warned.filter((each) => each !== "CHANGED_WHILE_READ .");
      assert.deepEqual(ofFiles.sort(), [`UNREADABLE ${closed}`, `VANISHED ${gone}`]);
    });

    it("are read as they are where they are replaced before their turn", async () => {
      const { first, lengths } = await readWhile((data, path) => {
        for (const other of others(path)) {
          writeFileSync(join(data, "new"), "short", { mode: 0o644 });
          renameSync(join(data, "new"), join(data, other));
        }
      });
      const expected = isOverSftp ? size : 5;
      assert.deepEqual(
        others(first).map((each) => lengths.get(each)),
        [expected, expected],
      );
    });
  });

describe("a tar that is ended on the server", { skip }, () => {
  it("fails the backup as DUMP_TRUNCATED, whether it is killed or gives up", async () => {
    const deaths = ["kill -9 $$", "exit 2", "exit 0", "kill -15 $$"];
    for (const death of deaths) {
      const script = `case "$*" in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac; /usr/bin/tar "$@" | head -c 3000000; ${death}`;
      await using sshd = await serve(tree({ big: seededBytes(8 * mebibyte, "big") }), { programs: { tar: script } });
      await using source = await connect(sshd);
      await assert.rejects(collect(source), { name: "SourceError", code: "DUMP_TRUNCATED" }, death);
    }
  });

  it("fails it as SOURCE_STALLED where it falls silent while its server does not", async () => {
    const script = `case "$*" in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac; /usr/bin/tar "$@" | head -c 3000000; sleep 600`;
    await using sshd = await serve(tree({ big: seededBytes(8 * mebibyte, "big") }), { programs: { tar: script } });
    await using source = await connect(sshd, { stallMs: 400 });
    await assert.rejects(collect(source), { name: "SourceError", code: "SOURCE_STALLED" });
  });

  it("fails it as DUMP_FAILED where it complains of nothing that is understood", async () => {
    const script = `case "$*" in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac; /usr/bin/tar "$@"; echo "tar: secret-words" >&2; exit 2`;
    await using sshd = await serve(tree({ one: "1" }), { programs: { tar: script } });
    await using source = await connect(sshd);
    await assert.rejects(collect(source), (error: Error & { code?: string }) => {
      assert.equal(error.code, "DUMP_FAILED");
      assert.doesNotMatch(error.message, /secret-words/);
      return true;
    });
  });

  it("warns once, in our words, of what it says besides", async () => {
    const script = `case "$*" in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac; echo "tar: secret-words
tar: more" >&2; exec /usr/bin/tar "$@"`;
    await using sshd = await serve(tree({ one: "1" }), { programs: { tar: script } });
    await using source = await connect(sshd);
    const { described, warnings } = await collect(source);
    assert.deepEqual(Object.keys(described), ["one"]);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["TOOL_WARNING"],
    );
    assert.doesNotMatch(warnings[0]?.message ?? "", /secret-words/);
  });
});
