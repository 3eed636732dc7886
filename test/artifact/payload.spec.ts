// The payload of an age file, read in ranges and written in parts: the same bytes as everybody else's age.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Decrypter, Encrypter } from "age-encryption";
import fc from "fast-check";
import { ArtifactError, type RangeReader } from "#artifact/node";
import { chunkNonce } from "../../artifact/age/chunk.ts";
import { sealHeader } from "../../artifact/age/header.ts";
import { openHeader } from "../../artifact/age/header-opening.ts";
import { payloadKey, sealChunk } from "../../artifact/age/payload.ts";
import { PayloadRanges } from "../../artifact/age/payload-ranges.ts";
import { PayloadWriter } from "../../artifact/age/payload-writer.ts";
import type { Engine } from "../../artifact/engine/engine.ts";
import { nativeEngine } from "../../artifact/engine/native-engine.ts";
import { webEngine } from "../../artifact/engine/web-engine.ts";
import { identity, noise, recipient } from "./sealing.ts";

const borders = [0, 1, 65_535, 65_536, 65_537, 131_072, 1_048_576, 1_100_000];

function rangesOf(bytes: Buffer): RangeReader {
  return {
    size: bytes.length,
    read: async (position, length) => bytes.subarray(position, position + length),
    close: async () => {},
  };
}

/** Fills the memory that it is given, and takes its time over that. */
function slowRangesOf(bytes: Buffer): RangeReader {
  return {
    ...rangesOf(bytes),
    async read(position, length, _, into) {
      const target = into ? into.subarray(0, length) : new Uint8Array(length);
      for (let at = 0; at < length; at += 10_000) {
        target.set(bytes.subarray(position + at, position + Math.min(length, at + 10_000)), at);
        await setImmediate();
      }
      return target;
    },
  };
}

async function encrypt(plain: Buffer): Promise<Buffer> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return Buffer.from(await encrypter.encrypt(plain));
}

async function openBy(engine: Engine, bytes: Buffer, file = rangesOf(bytes)): Promise<PayloadRanges> {
  const headerBytes = bytes.indexOf("\n", bytes.indexOf("\n--- ") + 1) + 1;
  const fileKey = await openHeader(bytes.subarray(0, headerBytes), [identity]);
  return PayloadRanges.open(engine, { file, headerBytes, fileKey });
}

async function write(pieces: readonly Uint8Array[]): Promise<Buffer> {
  const { header, fileKey } = await sealHeader([recipient]);
  const nonce = Buffer.alloc(16, 7);
  const parts: Buffer[] = [];
  const lead = Buffer.concat([header, nonce]);
  const writer = new PayloadWriter(
    payloadKey(fileKey, nonce),
    lead,
    async (part) => void parts.push(Buffer.from(part)),
  );
  for (const piece of pieces) await writer.write(piece);
  await writer.end();
  return Buffer.concat(parts);
}

for (const engine of [nativeEngine, webEngine])
  describe(`a reader of a payload by the ${engine === webEngine ? "web" : "native"} engine`, () => {
    const open = (bytes: Buffer) => openBy(engine, bytes);

    it("knows the length of what the age library sealed, at every border of its chunks", async () => {
      for (const length of borders) {
        const payload = await open(await encrypt(noise(length)));
        assert.equal(payload.size, length);
        assert.ok(noise(length).equals(await payload.read(0, length)), `${length} bytes`);
      }
    });

    it("gives any range of it", async () => {
      const plain = noise(400_000);
      const payload = await open(await encrypt(plain));
      const range = fc
        .tuple(fc.nat(plain.length), fc.nat(plain.length))
        .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
      await fc.assert(
        fc.asyncProperty(fc.array(range), async (ranges) => {
          for (const [from, to] of ranges)
            assert.ok(plain.subarray(from, to).equals(await payload.read(from, to - from)), `${from} to ${to}`);
        }),
        { numRuns: 50 },
      );
    });

    it("gives what was asked for where one memory serves for many ranges, at once too", async () => {
      const plain = noise(400_000);
      const sealed = await encrypt(plain);
      const payload = await openBy(engine, sealed, slowRangesOf(sealed));
      const ranges = [0, 65_536, 100_000, 300_000, 5, 399_999].map((from) => [from, Math.min(400_000, from + 150_000)]);
      for (const [from = 0, to = 0] of ranges)
        assert.ok(plain.subarray(from, to).equals(await payload.read(from, to - from)));
      const reads = ranges.map(async ([from = 0, to = 0]) =>
        assert.ok(plain.subarray(from, to).equals(await payload.read(from, to - from)), `${from} to ${to}`),
      );
      await Promise.all(reads);
    });

    it("takes no other number of bytes than it asked for", async () => {
      const sealed = await encrypt(noise(200_000));
      for (const more of [-1, -60_000, 1]) {
        const file = rangesOf(sealed);
        const payload = await openBy(engine, sealed, {
          ...file,
          read: (position, length) => file.read(position, length > 100_000 ? length + more : length),
        });
        await assert.rejects(payload.read(0, 130_000), { code: "STORAGE_UNAVAILABLE" });
      }
    });

    it("believes no length before the last chunk vouched for it", async () => {
      const sealed = await encrypt(noise(200_000));
      const chunk = 65_552;
      for (const lost of [1, 16, 17, 3392, 3392 + chunk, 3392 + 2 * chunk, sealed.length - 200])
        await assert.rejects(open(sealed.subarray(0, sealed.length - lost)), isCorrupt, `${lost} bytes lost`);
      await assert.rejects(open(Buffer.concat([sealed, Buffer.alloc(16)])), isCorrupt);
    });

    it("refuses an empty last chunk behind others", async () => {
      const { header, fileKey } = await sealHeader([recipient]);
      const parts: Buffer[] = [];
      const lead = Buffer.concat([header, Buffer.alloc(16)]);
      const key = payloadKey(fileKey, Buffer.alloc(16));
      for (const [index, bytes] of [noise(65_536), noise(0)].entries()) {
        const stored = Buffer.alloc(bytes.length + 16);
        sealChunk(key, chunkNonce(index, index === 1), bytes, stored);
        parts.push(stored);
      }
      await assert.rejects(open(Buffer.concat([lead, ...parts])), isCorrupt);
    });
  });

describe("a writer of a payload", () => {
  it("makes what the age library opens, at every border of its chunks and however its pieces are cut", async () => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    for (const length of borders)
      for (const step of [length || 1, 65_536, 70_001]) {
        const pieces: Buffer[] = [];
        for (let at = 0; at < length; at += step) pieces.push(noise(length).subarray(at, at + step));
        const plain = await decrypter.decrypt(await write(pieces));
        assert.ok(noise(length).equals(plain), `${length} bytes in pieces of ${step}`);
      }
  });
});

function isCorrupt(error: unknown): boolean {
  return error instanceof ArtifactError && error.code === "ARTIFACT_CORRUPT";
}
