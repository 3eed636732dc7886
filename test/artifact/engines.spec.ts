// What reading is built on, by native code and in JavaScript: the same answers, and the same refusals.
import assert from "node:assert/strict";
import { createHash, hash, hkdfSync } from "node:crypto";
import { describe, it } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { ArtifactError } from "#artifact";
import { chunkNonce } from "../../artifact/age/chunk.ts";
import { sealChunk } from "../../artifact/age/payload.ts";
import type { Engine } from "../../artifact/engine/engine.ts";
import { nativeEngine } from "../../artifact/engine/native-engine.ts";
import { webEngine } from "../../artifact/engine/web-engine.ts";
import { decompressFrame } from "../../artifact/zstd/decompress.ts";
import { noise } from "./sealing.ts";

const largestFrame = 8_388_608;
/** Half of it compresses. */
const mixed = Buffer.concat([noise(largestFrame / 2), Buffer.alloc(largestFrame / 2, "text ")]);

const engines: readonly (readonly [name: string, engine: Engine])[] = [
  ["native engine", nativeEngine],
  ["web engine", webEngine],
];

function isRefusal(...codes: ArtifactError["code"][]): (error: unknown) => boolean {
  return (error) => error instanceof ArtifactError && codes.includes(error.code);
}

for (const [name, engine] of engines)
  describe(`the ${name}`, () => {
    it("hashes, at once and piece by piece, and derives keys", () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
          const running = engine.startSha256();
          const expected = createHash("sha256");
          for (const piece of pieces) {
            running.update(piece);
            expected.update(piece);
          }
          assert.deepEqual(Buffer.from(running.digest()), expected.digest());
          const whole = Buffer.concat(pieces);
          assert.equal(engine.sha256(whole), hash("sha256", whole));
        }),
      );
      const [secret, salt] = [noise(32), noise(16)];
      const expected = new Uint8Array(hkdfSync("sha256", secret, salt, "payload", 32));
      assert.deepEqual(engine.deriveKey(secret, salt, "payload"), expected);
    });

    it("opens a chunk under its own nonce, and no other nor a changed one", () => {
      const key = noise(32);
      const openChunk = engine.chunkOpener(key);
      for (const length of [0, 1, 15, 16, 17, 65_536]) {
        const stored = Buffer.alloc(length + 16);
        const nonce = chunkNonce(2 ** 33 + 5, true);
        sealChunk(key, nonce, noise(length), stored);
        const target = new Uint8Array(length);
        assert.ok(openChunk(nonce, stored, target));
        assert.ok(noise(length).equals(target));
        assert.equal(openChunk(chunkNonce(2 ** 33 + 5, false), stored, target), false);
        assert.equal(openChunk(chunkNonce(5, true), stored, target), false);
        for (const place of [0, length, length + 15]) {
          const flipped = Buffer.from(stored);
          flipped[place] = (flipped[place] ?? 0) ^ 1;
          assert.equal(openChunk(nonce, flipped, target), false, `byte ${place} of ${length}`);
        }
      }
    });

    it("decompresses frames of every size, level and window", async () => {
      const params = [
        {},
        { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_windowLog]: 23 },
        { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_windowLog]: 23 },
        { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: -5 },
      ];
      for (const length of [1, 200, 255, 256, 65_791, 65_792, 1_000_000]) {
        const plain = mixed.subarray(mixed.length / 2 - (length >> 1)).subarray(0, length);
        for (const one of params) {
          const frame = zstdCompressSync(plain, { params: one });
          assert.ok(plain.equals(await decompressFrame(engine, frame, length)), `${length} bytes`);
        }
      }
      const largest = zstdCompressSync(mixed, { params: { [constants.ZSTD_c_windowLog]: 23 } });
      assert.ok(mixed.equals(await decompressFrame(engine, largest, mixed.length)));
    });

    it("refuses a frame that holds more or less than it should, whether it tells its size or not", async () => {
      const plain = mixed.subarray(0, 100_000);
      for (const flag of [0, 1]) {
        const frame = zstdCompressSync(plain, { params: { [constants.ZSTD_c_contentSizeFlag]: flag } });
        const more = flag ? isRefusal("LIMIT_EXCEEDED") : isRefusal("LIMIT_EXCEEDED", "ARTIFACT_CORRUPT");
        for (const claimed of [1, plain.length - 1])
          await assert.rejects(decompressFrame(engine, frame, claimed), more);
        await assert.rejects(decompressFrame(engine, frame, plain.length + 1), isRefusal("ARTIFACT_CORRUPT"));
      }
    });

    it("refuses a frame that does not fit its checksum", async () => {
      const frame = zstdCompressSync(noise(1000), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
      for (const place of [500, frame.length - 1]) {
        const flipped = Buffer.from(frame);
        flipped[place] = (flipped[place] ?? 0) ^ 1;
        await assert.rejects(decompressFrame(engine, flipped, 1000), isRefusal("ARTIFACT_CORRUPT"));
      }
      assert.ok(noise(1000).equals(await decompressFrame(engine, frame, 1000)));
    });

    it("refuses a window of more than 8 MiB before anything is decompressed", async () => {
      const frame = zstdCompressSync(mixed.subarray(0, 2000), { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
      for (const [descriptor, isTooLarge] of [
        [13 << 3, false],
        [(13 << 3) + 1, true],
        [(12 << 3) + 7, false],
        [14 << 3, true],
        [255, true],
      ] as const) {
        const changed = Buffer.from(frame);
        changed[5] = descriptor;
        const decompressing = decompressFrame(engine, changed, 2000);
        if (isTooLarge) await assert.rejects(decompressing, isRefusal("ARTIFACT_CORRUPT"));
        else assert.equal((await decompressing).length, 2000);
      }
    });
  });
