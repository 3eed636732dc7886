import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EntryInterruptedError } from "#artifact/node";
import { Selection } from "../../../worker/sources/selection.ts";
import { SftpSession } from "../../../worker/sources/sftp/session.ts";
import { walk } from "../../../worker/sources/sftp/walk.ts";
import { connectSsh, type SshConnection } from "../../../worker/sources/ssh/connection.ts";
import { type RogueHost, stageRogueHost } from "../../stage/rogue-host.ts";
import { collect, connectTo, loopback } from "./reading.ts";

const mebibyte = 1024 * 1024;
const directoryMode = 0o040755;

function connect({ host, port, hostKey }: RogueHost): Promise<SshConnection> {
  const signal = AbortSignal.timeout(20_000);
  const target = { host, port, username: "someone", signIn: { password: "a password" }, pinnedHostKey: hostKey };
  const route = { target, jump: null, allowedNetworks: loopback, signal, stallMs: 10_000 };
  return connectSsh(route);
}

function everything(maxEntries = 1_000_000): Selection {
  return new Selection({ include: [], exclude: [], maxEntries, maxBytes: undefined });
}

describe("a hostile server", () => {
  it("cannot name a file out of its directory", async () => {
    const evil = ["../../etc/passwd", "/etc/passwd", "a/b", "a\0b", "", "x".repeat(2000), "fine"];
    await using rogue = await stageRogueHost({ names: evil.map((name) => ({ name })) });
    await using source = await connectTo(rogue);
    const { described, warnings } = await collect(source);
    assert.deepEqual(Object.keys(described), ["fine"]);
    assert.deepEqual([...new Set(warnings.map(({ code }) => code))], ["NAME_REFUSED"]);
    assert.equal(warnings.length, evil.length - 1);
  });

  it("cannot keep a walk going for ever with endless directories", async () => {
    await using rogue = await stageRogueHost({ endlessNames: 50 });
    await using connection = await connect(rogue);
    const session = await SftpSession.open(connection, 10_000);
    const walkAll = async () => {
      for await (const _ of walk(session, "/", { warn: () => undefined, selection: everything(2_000) }));
    };
    await assert.rejects(walkAll(), { name: "SourceError", code: "QUOTA_EXCEEDED" });
  });

  it("cannot lead a walk deeper than it goes", async () => {
    await using rogue = await stageRogueHost({ names: [{ name: "down", mode: directoryMode }] });
    await using connection = await connect(rogue);
    const session = await SftpSession.open(connection, 10_000);
    const paths: string[] = [];
    const warned: string[] = [];
    const warn = ({ code, path }: { code: string; path: string }) => warned.push(`${code} ${path}`);
    for await (const { path } of walk(session, "/", { warn, maxDepth: 3, selection: everything() })) paths.push(path);
    assert.deepEqual(paths, ["down", "down/down", "down/down/down"]);
    assert.deepEqual(warned, ["NAME_REFUSED down/down/down"]);
  });

  it("cannot make a file larger than anything", async () => {
    await using rogue = await stageRogueHost({ names: [{ name: "huge", size: 2 ** 60 }] });
    await using source = await connectTo(rogue);
    const { described, warnings } = await collect(source);
    assert.deepEqual(described, {});
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["UNREADABLE"],
    );
  });

  it("is SOURCE_STALLED when it falls silent", async () => {
    await using rogue = await stageRogueHost({
      names: [{ name: "file", size: 8 * mebibyte }],
      stallAtByte: 3 * mebibyte,
    });
    await using source = await connectTo(rogue, { stallMs: 400 });
    const startedAt = performance.now();
    await assert.rejects(collect(source), { name: "SourceError", code: "SOURCE_STALLED" });
    assert.ok(performance.now() - startedAt < 10_000);
  });

  it("is SOURCE_DISCONNECTED when it hangs up", async () => {
    await using rogue = await stageRogueHost({
      names: [{ name: "file", size: 8 * mebibyte }],
      dropAtByte: 3 * mebibyte,
    });
    await using source = await connectTo(rogue);
    await assert.rejects(collect(source), { name: "SourceError", code: "SOURCE_DISCONNECTED" });
  });
});

describe("an unhurried server", () => {
  it("does not stall a reader that is slower than the stall timer", async () => {
    await using rogue = await stageRogueHost({ names: [{ name: "file", size: 4 * mebibyte }] });
    await using source = await connectTo(rogue, { stallMs: 200 });
    let bytes = 0;
    for await (const { content } of source.entries(() => undefined))
      for await (const chunk of content ?? []) {
        if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 800));
        bytes += chunk.length;
      }
    assert.equal(bytes, 4 * mebibyte);
  });

  it("is asked for many pieces at once, and for no more than fit into memory", async () => {
    const names = Array.from({ length: 8 }, (_, index) => ({ name: `f${index}`, size: 3 * mebibyte }));
    await using rogue = await stageRogueHost({ names, readDelayMs: 20 });
    await using source = await connectTo(rogue);
    assert.equal(Object.keys((await collect(source)).described).length, 8);
    const pieces = (8 * mebibyte) / 31_952;
    assert.ok(rogue.mostReadsAtOnce() > 32, `${rogue.mostReadsAtOnce()} at once`);
    assert.ok(rogue.mostReadsAtOnce() <= Math.ceil(pieces), `${rogue.mostReadsAtOnce()} at once`);
  });

  it("may answer with less than it was asked for", async () => {
    await using rogue = await stageRogueHost({ names: [{ name: "file", size: 200_000 }], bytesPerRead: 1_000 });
    await using source = await connectTo(rogue);
    const { described } = await collect(source);
    assert.match(described.file ?? "", /^file of 200000 bytes/);
  });
});

describe("a file that cannot be read to its end", () => {
  it("is interrupted without ending the backup", async () => {
    await using rogue = await stageRogueHost({
      names: [{ name: "bad", size: 1000 }, { name: "good" }],
      failReads: true,
    });
    await using source = await connectTo(rogue);
    const seen: string[] = [];
    for await (const { path, content } of source.entries(() => undefined)) {
      seen.push(String(path));
      const read = async () => {
        for await (const _ of content ?? []);
      };
      await assert.rejects(read(), EntryInterruptedError);
    }
    assert.deepEqual(seen, ["bad", "good"]);
  });
});
