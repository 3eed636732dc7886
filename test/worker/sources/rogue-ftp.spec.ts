import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EntryInterruptedError, type Warning } from "#artifact/node";
import { stageRogueFtp } from "../../stage/rogue-ftp.ts";
import { seededBytes, sha256 } from "../../stage/tree.ts";
import { codes, connectToFtp } from "./ftp-reading.ts";
import { collect, readContent } from "./reading.ts";

const mebibyte = 1024 * 1024;
const settings = { tls: "off" };
const large = seededBytes(6 * mebibyte, "large");
const small = seededBytes(50_000, "small");

function hasCode(code: string) {
  return (error: { code?: unknown }) => error.code === code;
}

function filesOf(contents: Readonly<Record<string, Uint8Array>>) {
  return Object.fromEntries(Object.entries(contents).map(([path, content]) => [path, { content }]));
}

/** Most memory that this process held while `work` went on, above what it held before. */
async function growthDuring(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 20);
  await work().finally(() => clearInterval(watch));
  return Math.max(most, process.memoryUsage().rss) - before;
}

describe("an FTP connection that breaks", () => {
  it("is made again, and the file goes on at the very byte, however often it is cut", async () => {
    for (const asEnd of [false, true]) {
      const cut = { times: 1, afterBytes: 3 * mebibyte + 17, asEnd };
      await using rogue = await stageRogueFtp({ files: filesOf({ "/large": large, "/small": small }), cut });
      await using source = await connectToFtp(rogue, { settings });
      const { described, warnings } = await collect(source);
      assert.match(described.large ?? "", new RegExp(sha256(large).slice(0, 16)));
      assert.match(described.small ?? "", new RegExp(sha256(small).slice(0, 16)));
      assert.deepEqual(warnings, []);
    }
  });

  it("asks again for the rest alone", async () => {
    const cut = { times: 1, afterBytes: 3 * mebibyte + 17 };
    await using rogue = await stageRogueFtp({ files: filesOf({ "/large": large }), cut });
    await using source = await connectToFtp(rogue, { settings });
    await collect(source);
    assert.ok(rogue.commands.includes(`REST ${3 * mebibyte + 17}`));
    assert.ok(rogue.sentBytes() < large.length + 100_000, `${rogue.sentBytes()} bytes were sent`);
  });

  it("is SOURCE_DISCONNECTED once it broke too often for one file", async () => {
    for (const content of [large, small]) {
      const cut = { times: 99, afterBytes: 40_000 };
      await using rogue = await stageRogueFtp({ files: filesOf({ "/file": content }), cut });
      await using source = await connectToFtp(rogue, { settings });
      await assert.rejects(collect(source), hasCode("SOURCE_DISCONNECTED"));
      const tries = rogue.commands.filter((command) => command === "RETR /file").length;
      assert.ok(tries > 1 && tries < 10, `${tries} tries`);
    }
  });

  it("is SOURCE_DISCONNECTED for everybody who waits, where nobody is let in again", async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`/f${index}`, small]));
    const replies = { USER: (times: number) => (times > 4 ? "421 rogue words" : null) };
    const cut = { times: 99, afterBytes: 40_000 };
    await using rogue = await stageRogueFtp({ files: filesOf(many), cut, replies });
    await using source = await connectToFtp(rogue, { settings });
    await assert.rejects(collect(source), hasCode("SOURCE_DISCONNECTED"));
  });

  it("ends a file that has become another one meanwhile", async () => {
    const cut = { times: 1, afterBytes: 3 * mebibyte };
    const modified = ["20260102030405", "20260102030406"];
    await using rogue = await stageRogueFtp({ files: { "/large": { content: large, modified } }, cut });
    await using source = await connectToFtp(rogue, { settings });
    const warnings: Warning[] = [];
    const reading = async () => {
      for await (const entry of source.entries((warning) => warnings.push(warning))) await readContent(entry);
    };
    await assert.rejects(reading(), EntryInterruptedError);
    assert.deepEqual(codes(warnings), { large: "CHANGED_WHILE_READ" });
  });

  it("is SOURCE_DISCONNECTED where the server cannot tell whether the file is still the same", async () => {
    const cut = { times: 1, afterBytes: 3 * mebibyte };
    await using rogue = await stageRogueFtp({
      files: filesOf({ "/large": large }),
      cut,
      replies: { MDTM: "502 what?" },
    });
    await using source = await connectToFtp(rogue, { settings });
    await assert.rejects(collect(source), hasCode("SOURCE_DISCONNECTED"));
    assert.ok(!rogue.commands.some((command) => command.startsWith("REST")));
  });
});

describe("an FTP server that falls silent", () => {
  it("is SOURCE_STALLED in the middle of a file, large or small", async () => {
    for (const content of [large, small]) {
      await using rogue = await stageRogueFtp({ files: filesOf({ "/file": content }), stallAfterBytes: 30_000 });
      await using source = await connectToFtp(rogue, { settings, stallMs: 400 });
      await assert.rejects(collect(source), hasCode("SOURCE_STALLED"));
    }
  });

  it("is SOURCE_STALLED in the middle of its replies", async () => {
    for (const command of ["USER", "FEAT", "CWD", "EPSV", "MLSD", "RETR"]) {
      const replies = { [command]: (times: number) => (times === 1 ? "" : null) };
      await using rogue = await stageRogueFtp({ files: filesOf({ "/file": small }), replies });
      const reading = async () => {
        await using source = await connectToFtp(rogue, { settings, stallMs: 400 });
        await collect(source);
      };
      await assert.rejects(reading(), hasCode("SOURCE_STALLED"), command);
    }
  });

  it("is not blamed for a reader that takes its time", async () => {
    await using rogue = await stageRogueFtp({ files: filesOf({ "/large": large }) });
    await using source = await connectToFtp(rogue, { settings, stallMs: 200 });
    let length = 0;
    for await (const { content } of source.entries(() => undefined))
      for await (const chunk of content ?? []) {
        if (length === 0) await new Promise((resolve) => setTimeout(resolve, 800));
        length += chunk.length;
      }
    assert.equal(length, large.length);
  });
});

describe("an FTP server that has no end", () => {
  it("is refused by its greeting, however long it goes on", async () => {
    await using rogue = await stageRogueFtp({ greetingBytes: 1024 * mebibyte });
    const growth = await growthDuring(() =>
      assert.rejects(connectToFtp(rogue, { settings }), hasCode("SOURCE_DISCONNECTED")),
    );
    assert.ok(growth < 64 * mebibyte, `${growth} bytes more`);
    assert.ok(rogue.sentBytes() < 64 * mebibyte, `${rogue.sentBytes()} bytes were taken`);
  });

  it("is QUOTA_EXCEEDED where a directory never ends", async () => {
    await using rogue = await stageRogueFtp({ endlessListing: true });
    await using source = await connectToFtp(rogue, { settings });
    const growth = await growthDuring(() => assert.rejects(collect(source), hasCode("QUOTA_EXCEEDED")));
    assert.ok(growth < 256 * mebibyte, `${growth} bytes more`);
  });

  it("is QUOTA_EXCEEDED where it has more than its limits", async () => {
    const files = filesOf({ "/a": small, "/b": small, "/c": small });
    await using rogue = await stageRogueFtp({ files });
    for (const limit of [{ maxEntries: 2 }, { maxBytes: 120_000 }]) {
      await using source = await connectToFtp(rogue, { settings: { ...settings, ...limit } });
      await assert.rejects(collect(source), hasCode("QUOTA_EXCEEDED"));
    }
  });

  it("is left where a small file never ends, with a warning", async () => {
    await using rogue = await stageRogueFtp({ files: filesOf({ "/a": small, "/b": small }), endlessFiles: true });
    await using source = await connectToFtp(rogue, { settings });
    const { described, warnings } = await collect(source);
    assert.match(described.a ?? "", new RegExp(`^file of 50000 bytes, sha256 ${sha256(small).slice(0, 16)}`));
    assert.deepEqual(codes(warnings), { a: "CHANGED_WHILE_READ", b: "CHANGED_WHILE_READ" });
  });

  it("sends of a large file without end no more than is read", async () => {
    await using rogue = await stageRogueFtp({
      files: filesOf({ "/large": large, "/small": small }),
      endlessFiles: true,
    });
    await using source = await connectToFtp(rogue, { settings });
    const paths: unknown[] = [];
    for await (const { path, size, content } of source.entries(() => undefined)) {
      paths.push(path);
      let length = 0;
      for await (const chunk of content ?? []) {
        length += chunk.length;
        if (length > (size ?? 0)) break;
      }
    }
    assert.deepEqual(paths, ["large", "small"]);
    assert.ok(rogue.sentBytes() < 32 * mebibyte, `${rogue.sentBytes()} bytes were taken`);
  });
});

describe("names that an FTP server makes up", () => {
  it("are refused where they could lead elsewhere, and never asked for", async () => {
    const listing = ["../../x", "/etc/x", "a/b", "a\0b", "n".repeat(766), "a\nb", "c\rd", ""].map(
      (name) => `type=file;size=1; ${name}`,
    );
    await using rogue = await stageRogueFtp({
      listing: ["type=dir; ..", "type=cdir; .", "type=dir;unique=u1; ok", ...listing],
    });
    await using source = await connectToFtp(rogue, { settings });
    const warnings: Warning[] = [];
    const paths: unknown[] = [];
    for await (const { path } of source.entries((warning) => warnings.push(warning))) paths.push(path);
    // The directory is the same one inside, and leads back to itself.
    assert.deepEqual(paths, ["ok", "ok/ok"]);
    assert.deepEqual([...new Set(warnings.map(({ code }) => code))], ["NAME_REFUSED"]);
    assert.ok(
      warnings.every(({ path }) => /^[^\p{Cc}]*$/u.test(path)),
      "can be shown",
    );
    assert.ok(!rogue.commands.some((command) => command.startsWith("RETR")));
    assert.ok(!rogue.commands.some((command) => /\.\./.test(command)));
  });

  it("may be nonsense: then the customer hears that something may be missing", async () => {
    await using rogue = await stageRogueFtp({ listing: ["nonsense", "type=file;size=1;"] });
    await using source = await connectToFtp(rogue, { settings });
    assert.deepEqual(codes((await collect(source)).warnings), { "/": "NAME_REFUSED" });
  });

  it("are left out with their files where those have impossible sizes", async () => {
    const sizes = ["size=-1;", "size=1e9;", "size=99999999999999999999;", ""];
    await using rogue = await stageRogueFtp({ listing: sizes.map((size, index) => `type=file;${size} f${index}`) });
    await using source = await connectToFtp(rogue, { settings });
    const { described, warnings } = await collect(source);
    assert.deepEqual([described, codes(warnings).f1, warnings.length], [{}, "UNREADABLE", 4]);
  });

  it("lead no deeper than there is room for", async () => {
    await using rogue = await stageRogueFtp({ listing: ["type=dir; d"] });
    await using source = await connectToFtp(rogue, { settings });
    const { described, warnings } = await collect(source);
    assert.equal(Object.keys(described).length, 256);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["NAME_REFUSED"],
    );
  });
});

describe("an FTP server that lets nobody in twice", () => {
  const files = filesOf(Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`/f${index}`, small])));

  it("is read over one sign-in", async () => {
    for (const reply of ["421 too many connections", "530 too many users"]) {
      await using rogue = await stageRogueFtp({ files, mostSignIns: { count: 1, reply } });
      await using source = await connectToFtp(rogue, { settings });
      const { described, warnings } = await collect(source);
      assert.deepEqual([Object.keys(described).length, warnings, rogue.mostSignInsAtOnce()], [40, [], 1]);
    }
  });

  it("is read over four where it does", async () => {
    await using rogue = await stageRogueFtp({ files });
    await using source = await connectToFtp(rogue, { settings });
    assert.equal(Object.keys((await collect(source)).described).length, 40);
    assert.equal(rogue.mostSignInsAtOnce(), 4);
  });
});
