import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { printablePath, type Warning } from "#artifact/node";
import { type Announced, readTar } from "../../../worker/sources/tar-stream/reader.ts";
import { missingOpenSsh } from "../../stage/peers/openssh.ts";
import {
  describeFile,
  describeTree,
  directory,
  fifo,
  link,
  seededBytes,
  sha256,
  sorted,
  tree,
  writeTree,
} from "../../stage/tree.ts";
import { collect, readContent } from "./reading.ts";
import { connect, serve } from "./ssh-files.ts";

interface Header {
  readonly name?: string | Buffer;
  readonly type?: string;
  readonly size?: number | string | Buffer;
  readonly linkName?: string;
  readonly checksum?: string;
  readonly prefix?: string;
}

/** One header block and nothing of what makes it sensible. */
function header({ name = "file", type = "0", size = 0, linkName = "", checksum, prefix = "" }: Header): Buffer {
  const block = Buffer.alloc(512);
  block.set(Buffer.from(name), 0);
  block.write("0000644\0" + "0000000\0" + "0000000\0", 100, "latin1");
  if (typeof size === "number") block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  else block.set(Buffer.from(size), 124);
  block.write("00000000000\0        ", 136, "latin1");
  block.write(type, 156, "latin1");
  block.write(linkName, 157, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  block.write(prefix, 345, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function padded(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)]);
}

const end = Buffer.alloc(1024);

function extended(...records: string[]): Buffer {
  return Buffer.concat([header({ type: "x", size: Buffer.byteLength(records.join("")) }), padded(records.join(""))]);
}

function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  return `${rest + (rest < 8 ? 1 : 2)} ${key}=${value}\n`;
}

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const wantsAll = (_: Announced): boolean => true;

async function read(tar: Uint8Array, { chunk = 4096, admit = wantsAll } = {}) {
  const warnings: Warning[] = [];
  const described: Record<string, string> = {};
  const options = { admit, warn: (each: Warning) => warnings.push(each), explain: async (error: unknown) => error };
  for await (const entry of readTar(inChunks(tar, chunk), options)) {
    const content = entry.kind === "file" ? await readContent(entry) : Buffer.alloc(0);
    const target = printablePath(entry.linkTarget ?? "");
    described[printablePath(entry.path)] = {
      file: describeFile(content.length, sha256(content)),
      directory: "directory",
      symlink: `link to ${target}`,
      hardlink: `same as ${target}`,
    }[entry.kind];
  }
  return { described: sorted(described), warned: warnings.map(({ code, path }) => `${code} ${path}`) };
}

describe("the tar of another program", () => {
  const nodes = tree({
    [`${"long/".repeat(45)}${"n".repeat(200)}`]: "a name of its own",
    [`half/${"a".repeat(90)}/${"b".repeat(90)}`]: "a name in two parts",
    "link to far away": link("x".repeat(300)),
    "empty/": directory,
    "empty file": "",
    ünï: "names are bytes",
    big: seededBytes(2_500_000, "big"),
    ...Object.fromEntries([1, 511, 512, 513, 10_000].map((size) => [`size ${size}`, seededBytes(size, "size")])),
  });

  for (const format of ["gnu", "oldgnu", "posix", "ustar"])
    it(`is read in the dialect ${format}, however it is cut into pieces`, async () => {
      const base = await mkdtemp(join(tmpdir(), "xvault-tars-"));
      try {
        // What ustar has no room for, GNU tar leaves out itself.
        const fitting = new Map([...nodes].filter(([path]) => format !== "ustar" || !/^l(ong|ink)/.test(path)));
        await writeTree(base, fitting);
        linkSync(join(base, "size 1"), join(base, "z linked"));
        const tar = execFileSync("tar", ["-C", base, `--format=${format}`, "--sort=name", "-c", "."], {
          maxBuffer: 2 ** 26,
        });
        const expected = sorted({ ...describeTree(fitting), "z linked": "same as size 1" });
        for (const chunk of [37, 512, 32_768, tar.length])
          assert.deepEqual(await read(tar, { chunk }), { described: expected, warned: [] });
      } finally {
        await rm(base, { recursive: true });
      }
    });

  for (const [way, format] of [
    ["gnu", "gnu"],
    ["0.1", "posix"],
    ["1.0", "posix"],
  ] as const)
    it(`is warned of, and passed over, where it has a sparse file in the way ${way}`, async () => {
      const base = await mkdtemp(join(tmpdir(), "xvault-tars-"));
      try {
        // More holes than one map has room for.
        const sparse = join(base, "sparse");
        await writeFile(sparse, "");
        for (let hole = 0; hole < 60; hole++)
          execFileSync("dd", [
            "if=/dev/urandom",
            `of=${sparse}`,
            "bs=4096",
            "count=1",
            `seek=${hole * 64}`,
            "conv=notrunc",
            "status=none",
          ]);
        await truncate(sparse, 2 ** 31);
        await writeFile(join(base, "z"), "after");
        const kind = format === "posix" ? [`--sparse-version=${way}`] : [];
        const tar = execFileSync("tar", ["-C", base, `--format=${format}`, ...kind, "-S", "-c", "sparse", "z"]);
        const { described, warned } = await read(tar);
        assert.deepEqual(described, describeTree(tree({ z: "after" })));
        assert.match(warned.join(), /^UNREADABLE [^,]*sparse[^,]*$/i);
      } finally {
        await rm(base, { recursive: true });
      }
    });

  it("has sizes beyond what digits can say, and times before the epoch", async () => {
    const size = Buffer.alloc(12);
    size[0] = 0x80;
    size.writeUInt32BE(3, 8);
    const tar = Buffer.concat([
      header({ size }),
      padded("abc"),
      extended(record("mtime", "-1.500000000"), record("size", "5"), record("comment", "none of ours")),
      header({ name: "pax", size: 0 }),
      padded("abcde"),
      end,
    ]);
    const { described, warned } = await read(tar);
    assert.deepEqual(described, describeTree(tree({ file: "abc", pax: "abcde" })));
    assert.deepEqual(warned, []);
  });

  it("keeps nothing of what is not wanted", async () => {
    const tar = Buffer.concat([
      header({ name: "no", size: 3 }),
      padded("abc"),
      header({ name: "yes", size: 3 }),
      padded("def"),
      end,
    ]);
    const { described } = await read(tar, { admit: ({ name }) => name === "yes" });
    assert.deepEqual(described, describeTree(tree({ yes: "def" })));
  });
});

describe("a hostile tar", () => {
  const fine = Buffer.concat([header({ name: "fine", size: 2 }), padded("ok")]);
  const onlyFine = describeTree(tree({ fine: "ok" }));

  it("cannot name a file out of the tree", async () => {
    const names = [
      "../../etc/passwd",
      "/etc/passwd",
      "a/../../b",
      "a//b",
      "a/./b",
      "",
      "..",
      "./..",
      `${"x".repeat(97)}/..`,
    ];
    const evil = names.map((name) => Buffer.concat([header({ name, size: 4 }), padded("evil")]));
    const long = (name: string) => [
      header({ name: "L", type: "L", size: name.length }),
      padded(name),
      header({ size: 4 }),
      padded("evil"),
    ];
    const tar = Buffer.concat([...evil, ...long(`ok/${"../".repeat(90)}x`), ...long("y".repeat(40_000)), fine, end]);
    const { described, warned } = await read(tar);
    assert.deepEqual(described, onlyFine);
    assert.deepEqual([...new Set(warned.map((each) => each.split(" ")[0]))], ["NAME_REFUSED"]);
    assert.equal(warned.length, names.length + 2);
    const nul = Buffer.concat([extended(record("path", "a\0b")), header({ size: 4 }), padded("evil"), fine, end]);
    assert.deepEqual(await read(nul), { described: onlyFine, warned: ["NAME_REFUSED a\\x00b"] });
  });

  it("cannot link a name to a file out of the tree", async () => {
    const targets = ["../../etc/passwd", "/etc/passwd", ""];
    const evil = targets.map((linkName, index) => header({ name: `l${index}`, type: "1", linkName }));
    const { described, warned } = await read(Buffer.concat([...evil, header({ name: "s", type: "2" }), fine, end]));
    assert.deepEqual(described, onlyFine);
    assert.deepEqual(warned, ["NAME_REFUSED l0", "NAME_REFUSED l1", "NAME_REFUSED l2", "NAME_REFUSED s"]);
  });

  it("cannot bring devices, pipes, or kinds that nobody knows", async () => {
    const evil = ["3", "4", "6", "Z"].map((type) => header({ name: type, type }));
    const { described, warned } = await read(Buffer.concat([...evil, fine, end]));
    assert.deepEqual(described, onlyFine);
    assert.deepEqual(warned, ["SPECIAL_SKIPPED 3", "SPECIAL_SKIPPED 4", "SPECIAL_SKIPPED 6", "UNREADABLE Z"]);
  });

  const huge = Buffer.alloc(12, 0xff);
  huge[0] = 0x80;
  const garbled = {
    "a wrong checksum": header({ checksum: "000000\0 " }),
    "a size below zero": header({ size: Buffer.alloc(12, 0xff) }),
    "a size beyond all numbers": header({ size: huge }),
    "a size that is no number": header({ size: "12x45678901\0" }),
    "a name of a gigabyte": header({ type: "L", size: 2 ** 30 }),
    "records of a gigabyte": header({ type: "x", size: 2 ** 30 }),
    "records that overlap": extended("999 path=x\n"),
    "records without an end": extended("9 path=xyz"),
    "records of no length": extended("0 path=x\n"),
    "no tar at all": Buffer.from("PK\x03\x04".repeat(400)),
  };
  for (const [what, bytes] of Object.entries(garbled))
    it(`is refused for ${what}`, async () => {
      await assert.rejects(read(Buffer.concat([bytes, fine, end])), { name: "TarStreamError", fault: "garbled" });
    });

  it("is cut wherever it ends before its end", async () => {
    const whole = Buffer.concat([
      fine,
      header({ name: "L", type: "L", size: 5 }),
      padded("named"),
      header({ size: 1000 }),
      padded(Buffer.alloc(1000, 1)),
      end,
    ]);
    for (let length = 0; length < whole.length; length += 100)
      await assert.rejects(
        read(whole.subarray(0, length)),
        { name: "TarStreamError", fault: "cut" },
        `${length} bytes`,
      );
    assert.equal(Object.keys((await read(whole)).described).length, 2);
  });

  it("does not go on for ever after its end", async () => {
    const tar = Buffer.concat([fine, Buffer.alloc(20 * 1024 * 1024)]);
    await assert.rejects(read(tar, { chunk: 65_536 }), { name: "TarStreamError", fault: "garbled" });
  });
});

describe("a hostile server's tar", { skip: missingOpenSsh ?? false }, () => {
  const isAsked = 'case "$*" in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac;';

  it("fails the backup as DUMP_FAILED where it writes anything but a tar", async () => {
    await using sshd = await serve(tree({ one: "1" }), {
      programs: { tar: `${isAsked} exec head -c 1000000 /dev/urandom` },
    });
    await using source = await connect(sshd);
    await assert.rejects(collect(source), { name: "SourceError", code: "DUMP_FAILED", message: /is not a tar/ });
  });

  it("fails it as QUOTA_EXCEEDED where it has entries or bytes without end", async () => {
    const script = `${isAsked} while :; do cat "\${0%/*}/../data/one.tar"; done`;
    await using sshd = await serve(tree({ "one.tar": Buffer.concat(Array(500).fill(header({ name: "same" }))) }), {
      programs: { tar: script },
    });
    await using endless = await connect(sshd, { settings: { maxEntries: 2_000 } });
    await assert.rejects(collect(endless), { name: "SourceError", code: "QUOTA_EXCEEDED" });
    await writeFile(join(sshd.data, "one.tar"), header({ name: "vast", size: Buffer.from("77777777777\0") }));
    await using vast = await connect(sshd, { settings: { maxBytes: 10_000_000 } });
    await assert.rejects(collect(vast), { name: "SourceError", code: "QUOTA_EXCEEDED" });
  });

  it("counts a sparse file as long as it seems", async () => {
    await using sshd = await serve(tree({ pipe: fifo }));
    execFileSync("truncate", ["-s", "1T", join(sshd.data, "sparse")]);
    await using source = await connect(sshd, { settings: { maxBytes: 2 ** 39 } });
    await assert.rejects(collect(source), { name: "SourceError", code: "QUOTA_EXCEEDED" });
  });
});
