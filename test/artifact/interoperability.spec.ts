// Other programs and ours read each other: the first stable zstd, the stock age, and a reader of the seekable format.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import { Decrypter } from "age-encryption";
import { fileNames } from "#artifact/node";
import { openHeader } from "../../artifact/age/header-opening.ts";
import { PayloadRanges } from "../../artifact/age/payload-ranges.ts";
import { nativeEngine } from "../../artifact/engine/native-engine.ts";
import { available } from "../stage/available.ts";
import { storedBytes } from "./forging.ts";
import { collect, file, folder, identity, link, noise, piecesOf, recipient, type Sealed, sealTree } from "./sealing.ts";
import { parseSeekable } from "./seekable-format.ts";

/** The zstd 1.0.0 of 2016, which the npm package node-zstandard carries for one kind of machine. */
const oldestZstd = fileURLToPath(new URL("bin/zstd.linux64", import.meta.resolve("node-zstandard")));
const skipOldest =
  (process.platform !== "linux" || process.arch !== "x64") && "zstd 1.0.0 is there for x86-64 Linux only";

/** Frames that compress, frames that do not, a frame that holds one header, and an end of zeros. */
async function sealSample(): Promise<Sealed> {
  return sealTree([
    folder("a"),
    file("a/text", "over and over again\n".repeat(500_000)),
    file("a/noise", noise(9_000_000)),
    file("dump", "", { size: null, content: piecesOf([noise(5_000_000)]) }),
    link("a/link", "text"),
    file("half", Buffer.concat([noise(70_000), Buffer.alloc(200_000), noise(70_000)])),
  ]);
}

async function decrypt(bytes: Buffer): Promise<Buffer> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return Buffer.from(await decrypter.decrypt(bytes));
}

async function plainOf(sealed: Sealed): Promise<Buffer> {
  await using artifact = await sealed.open();
  return Buffer.concat(await collect(artifact.tar()));
}

const samples: readonly [told: string, seal: () => Promise<Sealed>][] = [
  ["with frames of every kind", sealSample],
  ["with nothing in it", () => sealTree([])],
  ["sealed at the highest level", () => sealTree([file("a", Buffer.alloc(5_000_000, "abc"))], { level: 19 })],
];

describe("the first stable zstd", { skip: skipOldest }, () => {
  before(() => accessSync(oldestZstd, constants.X_OK));

  it("is the one that it is said to be", () => {
    assert.match(execFileSync(oldestZstd, ["--version"], { encoding: "utf8" }), /v1\.0\.0\b/);
  });

  for (const [told, seal] of samples)
    it(`decompresses an artifact and its catalogue, ${told}`, async () => {
      const sealed = await seal();
      const unpack = async (name: string) =>
        execFileSync(oldestZstd, ["-d", "-c"], {
          input: await decrypt(storedBytes(sealed.storage, name)),
          maxBuffer: 2 ** 26,
          stdio: ["pipe", "pipe", "ignore"],
        });
      assert.ok((await unpack(fileNames.artifact)).equals(await plainOf(sealed)));
      const lines = String(await unpack(fileNames.catalogue))
        .trimEnd()
        .split("\n");
      const entries = Object.values(sealed.result.manifest.counts).reduce((sum, count) => sum + count, 0);
      assert.deepEqual(JSON.parse(lines.at(-1) ?? ""), { end: { entries, warnings: 0 } });
    });
});

describe("a reader of the zstd seekable format", () => {
  for (const [told, seal] of samples)
    it(`accepts both sealed files and decompresses each frame alone, where the table says it is: ${told}`, async () => {
      const sealed = await seal();
      const { artifact, catalogue } = sealed.result.manifest;
      for (const facts of [artifact, catalogue]) {
        const stream = await decrypt(storedBytes(sealed.storage, facts.name));
        const frames = parseSeekable(stream);
        const plain = frames.map(({ offset, compressed }) =>
          zstdDecompressSync(stream.subarray(offset, offset + compressed.length)),
        );
        assert.deepEqual(
          plain.map(({ length }) => length),
          frames.map(({ decompressedSize }) => decompressedSize),
        );
        assert.equal(frames.length, facts.frames);
        assert.equal(Buffer.concat(plain).length, facts.plainBytes);
        if (facts === artifact) assert.ok(Buffer.concat(plain).equals(await plainOf(sealed)));
      }
    });

  it("refuses a table that is a byte off", async () => {
    const { storage } = await sealTree([file("a", "hello")]);
    const stream = await decrypt(storedBytes(storage, fileNames.catalogue));
    assert.equal(parseSeekable(stream).length, 1);
    for (let fromEnd = 1; fromEnd <= 25; fromEnd++) {
      // Two bits of the descriptor and the content's length are not for a parser to judge.
      const isFree = fromEnd >= 10 && fromEnd <= 13;
      const broken = Buffer.from(stream);
      broken[stream.length - fromEnd] = (broken[stream.length - fromEnd] ?? 0) ^ 0x40;
      if (!isFree) assert.throws(() => parseSeekable(broken), `byte ${fromEnd} from the end`);
    }
  });
});

describe("what the age command writes", { skip: available("age") ?? false }, () => {
  /** A second pair, made once with age-keygen, for tests alone. */
  const second = {
    identity: "AGE-SECRET-KEY-1VPHR90E6VF9E5YMLNQLSCT9Y7MPJ8PC0MQ3CQLLGMNPM63N83HQSRVUFDH",
    recipient: "age1uevr4n3dpl3jpd92nrsj27un50xcsw6azvmtmznxrccnqpv42fvsee0hys",
  };
  const lengths = {
    empty: 0,
    "one byte": 1,
    "a chunk": 65_536,
    "a chunk and a byte": 65_537,
    "several chunks": 300_000,
  };

  for (const [told, length] of Object.entries(lengths))
    it(`opens here, to one recipient and to several: ${told}`, async () => {
      for (const recipients of [[recipient], [second.recipient, recipient], [recipient, second.recipient]]) {
        const options = recipients.flatMap((one) => ["-r", one]);
        const sealed = execFileSync("age", options, { input: noise(length), maxBuffer: 2 ** 26 });
        const headerBytes = sealed.indexOf("\n", sealed.indexOf("\n--- ") + 1) + 1;
        for (const key of recipients.length > 1 ? [identity, second.identity] : [identity]) {
          const fileKey = await openHeader(sealed.subarray(0, headerBytes), [key]);
          const file = {
            size: sealed.length,
            read: async (at: number, bytes: number) => sealed.subarray(at, at + bytes),
            close: async () => {},
          };
          const payload = await PayloadRanges.open(nativeEngine, { file, headerBytes, fileKey });
          assert.equal(payload.size, length);
          assert.ok(noise(length).equals(await payload.read(0, length)));
        }
      }
    });
});
