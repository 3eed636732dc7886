// The stored bytes as FORMAT.md describes them, taken apart by code that shares nothing with the reader.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { Decrypter } from "age-encryption";
import fc from "fast-check";
import { fileNames } from "#artifact/node";
import { Tally } from "../../artifact/tally.ts";
import { storedBytes } from "./forging.ts";
import { file, folder, identity, ids, noise, recipient, type Sealed, sealTree } from "./sealing.ts";

/** Four frames of files, then a dump whose header has a frame of its own. */
async function sealSample(): Promise<Sealed> {
  return sealTree([
    folder("a"),
    file("a/noise", noise(9_000_000)),
    file("dump", "", { size: null, content: pieces() }),
    file("last", "end"),
  ]);
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < 50; index++) yield noise(100_000);
}

async function decrypt(bytes: Buffer): Promise<Buffer> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return Buffer.from(await decrypter.decrypt(bytes));
}

interface Frame {
  readonly stored: Buffer;
  readonly plainBytes: number;
}

/** Takes a stream apart by its seek table, and insists on every byte of the table. */
function parseSeekable(stream: Buffer): Frame[] {
  const footer = stream.subarray(-9);
  assert.equal(footer.readUInt32LE(5), 0x8f92eab1);
  assert.equal(footer.readUInt8(4), 0);
  const count = footer.readUInt32LE(0);
  const table = stream.subarray(stream.length - (8 + count * 8 + 9));
  assert.equal(table.readUInt32LE(0), 0x184d2a5e);
  assert.equal(table.readUInt32LE(4), table.length - 8);
  const frames: Frame[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const length = table.readUInt32LE(8 + index * 8);
    frames.push({ stored: stream.subarray(at, at + length), plainBytes: table.readUInt32LE(12 + index * 8) });
    at += length;
  }
  assert.equal(at, stream.length - table.length);
  return frames;
}

describe("a sealed file", () => {
  it("is an age file of independent frames and their seek table", async () => {
    const { storage, result } = await sealSample();
    for (const facts of [result.manifest.artifact, result.manifest.catalogue]) {
      const stream = await decrypt(storedBytes(storage, facts.name));
      const frames = parseSeekable(stream);
      for (const { stored, plainBytes } of frames) {
        assert.ok(plainBytes <= 4_194_304 && plainBytes > 0);
        assert.equal(zstdDecompressSync(stored).length, plainBytes);
      }
      assert.equal(frames.length, facts.frames);
      assert.equal(
        frames.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
        facts.plainBytes,
      );
    }
  });

  it("has the header of a dump in a frame of its own, in front of the frames that were spooled", async () => {
    const { storage } = await sealSample();
    const frames = parseSeekable(await decrypt(storedBytes(storage, fileNames.artifact)));
    const plain = frames.map(({ stored }) => zstdDecompressSync(stored));
    const header = plain.findIndex((bytes) => bytes.toString("latin1", 0, 5) === "dump\0");
    assert.equal(plain[header]?.length, 512);
    assert.ok(plain[header + 1]?.equals(Buffer.concat(Array(50).fill(noise(100_000))).subarray(0, 4_194_304)));
  });

  it("has the hashes that its manifest tells, of the whole, of its header and of every group", async () => {
    const { storage, result } = await sealSample();
    for (const facts of [result.manifest.artifact, result.manifest.catalogue]) {
      const bytes = storedBytes(storage, facts.name);
      assert.equal(facts.storedBytes, bytes.length);
      assert.equal(facts.sha256, sha256(bytes));
      const header = bytes.subarray(0, facts.headerBytes);
      assert.equal(facts.headerSha256, sha256(header));
      assert.match(header.toString("latin1"), /^age-encryption\.org\/v1\n-> X25519 [\s\S]*\n--- [A-Za-z0-9+/]{43}\n$/);
      assert.deepEqual(facts.groups, { pieceBytes: 16_777_216, groupBytes: 16_777_216, sha256: groupsOf(bytes) });
    }
  });

  it("never has the same bytes twice", async () => {
    const [first, second] = [await sealTree([file("a", "x")]), await sealTree([file("a", "x")])];
    assert.notEqual(first.result.artifactSha256, second.result.artifactSha256);
  });
});

describe("a manifest", () => {
  it("tells whose the artifact is, how large, how sealed and by what", async () => {
    const { storage, result } = await sealTree([file("a", "hello"), folder("b")], { tools: { ssh2: "1.17.0" } });
    const text = storedBytes(storage, fileNames.manifest).toString();
    const { artifact, catalogue, durationMs, tools, ...manifest } = JSON.parse(text);
    assert.deepEqual(manifest, {
      format: "xvault-artifact",
      version: 1,
      ids,
      createdAt: "2026-11-21T12:00:00.000Z",
      partial: false,
      plainBytes: 5,
      counts: { files: 1, directories: 1, symlinks: 0, hardlinks: 0 },
      algorithm: { archive: "tar/pax", compression: "zstd", encryption: "age-encryption.org/v1" },
      recipients: [{ algorithm: "X25519", fingerprint: `sha256:${sha256(Buffer.from(recipient))}` }],
      warnings: {},
    });
    assert.deepEqual([artifact.name, catalogue.name], ["backup.tar.zst.enc", "catalogue.zst.enc"]);
    assert.deepEqual(tools, { node: process.versions.node, zstd: process.versions.zstd, ssh2: "1.17.0" });
    assert.equal(result.durationMs, durationMs);
    assert.equal(result.manifestSha256, sha256(Buffer.from(text)));
    const stored = [...storage.files.values()].reduce((sum, { length }) => sum + length, 0);
    assert.equal(result.storedBytes, stored);
  });

  it("is vouched for by a meta.json that has the ids and its hash", async () => {
    const { storage, result } = await sealTree([]);
    const meta = JSON.parse(storedBytes(storage, fileNames.meta).toString());
    assert.deepEqual(meta, { format: "xvault-artifact", version: 1, ids, manifestSha256: result.manifestSha256 });
  });

  it("has 1,024 groups at most: past that they double in size", () => {
    for (const [pieces, groupPieces, groups] of [
      [0, 1, 0],
      [1, 1, 1],
      [1024, 1, 1024],
      [1025, 2, 513],
      [5000, 8, 625],
    ] as const) {
      const bytes = noise(pieces * 16 - (pieces > 1 ? 3 : 0));
      const tally = new Tally(16);
      for (let at = 0; at < bytes.length; at += 1001) tally.update(bytes.subarray(at, at + 1001));
      const { groups: told, storedBytes, checksums } = tally.end();
      assert.equal(storedBytes, bytes.length);
      assert.equal(checksums.length, pieces);
      assert.equal(told.groupBytes, 16 * groupPieces);
      assert.equal(told.sha256.length, groups);
      assert.deepEqual(told.sha256, groupsOf(bytes, 16, groupPieces));
    }
  });
});

describe("a count of bytes", () => {
  it("comes to the same, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (parts) => {
        const [cut, whole] = [new Tally(16), new Tally(16)];
        for (const part of parts) cut.update(part);
        whole.update(Buffer.concat(parts));
        assert.deepEqual(cut.end(), whole.end());
      }),
    );
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function groupsOf(bytes: Buffer, pieceBytes = 16_777_216, pieces = 1): string[] {
  const groups: string[] = [];
  for (let group = 0; group < bytes.length; group += pieces * pieceBytes) {
    const digests: Buffer[] = [];
    for (let at = group; at < Math.min(bytes.length, group + pieces * pieceBytes); at += pieceBytes)
      digests.push(
        createHash("sha256")
          .update(bytes.subarray(at, Math.min(at + pieceBytes, bytes.length)))
          .digest(),
      );
    groups.push(sha256(Buffer.concat(digests)));
  }
  return groups;
}
