// Damage is found, wherever it is, and never taken for a wrong key; a wrong key is never taken for damage.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { ArtifactError, fileNames, StorageError, snapshotDirectory } from "#artifact/node";
import { type Door, doors, openThrough } from "./doors.ts";
import { forgeArtifactBytes, replaceFile, replaceManifest, storedBytes } from "./forging.ts";
import {
  collect,
  directory,
  file,
  folder,
  identity,
  ids,
  noise,
  readEntries,
  type Sealed,
  sealTree,
  strangerIdentity,
} from "./sealing.ts";

const names = Object.values(fileNames);

/** Several chunks and, behind the dump, several frames. */
async function sealSample(): Promise<Sealed> {
  return sealTree([folder("a"), file("a/b", noise(200_000)), file("dump", "", { size: null }), file("c", "end")]);
}

function isCorrupt(error: unknown): boolean {
  return error instanceof ArtifactError && error.code === "ARTIFACT_CORRUPT";
}

function isKeyUnavailable(error: unknown): boolean {
  return error instanceof ArtifactError && error.code === "KEY_UNAVAILABLE";
}

/** Places all over a file, its first and last bytes among them. */
function places(length: number, count: number): number[] {
  const spread = Array.from({ length: count }, (_, index) => Math.floor(((index + 0.5) * length) / count));
  return [...new Set([0, 1, ...spread, length - 2, length - 1])];
}

for (const door of doors) describe(`through ${door.name}`, () => damageIsFound(door));

function damageIsFound(door: Door): void {
  const open = (sealed: Sealed, changes?: { identities?: string[]; manifestSha256?: string }) =>
    openThrough(door, sealed, changes);
  const check = ({ storage }: Sealed, identities?: string[]) =>
    door.verify({ storage, directory, ...(identities ? { identities } : {}) });
  const readAll = async (sealed: Sealed) => {
    await using artifact = await open(sealed);
    await readEntries(artifact);
    await collect(artifact.catalogue());
  };

  describe("a flipped bit", () => {
    for (const name of names)
      it(`in ${name} is found without a key, with one, and by whoever reads`, async () => {
        const sealed = await sealSample();
        const whole = storedBytes(sealed.storage, name);
        for (const place of places(whole.length, 24)) {
          const flipped = Buffer.from(whole);
          flipped[place] = (flipped[place] ?? 0) ^ (1 << (place % 8));
          replaceFile(sealed.storage, name, flipped);
          const told = `bit ${place % 8} of byte ${place}`;
          await assert.rejects(check(sealed), isCorrupt, told);
          await assert.rejects(check(sealed, [identity]), isCorrupt, told);
          await assert.rejects(readAll(sealed), isCorrupt, told);
        }
        replaceFile(sealed.storage, name, whole);
        assert.equal((await check(sealed, [identity])).depth, "CONTENTS");
        await readAll(sealed);
      });

    it("is told with its file and its place", async () => {
      const sealed = await sealSample();
      const bytes = Buffer.from(storedBytes(sealed.storage, fileNames.artifact));
      bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
      replaceFile(sealed.storage, fileNames.artifact, bytes);
      const facts = { file: fileNames.artifact, position: 0, length: 16_777_216 };
      await assert.rejects(check(sealed), { code: "ARTIFACT_CORRUPT", facts });
    });

    it("never lets a wrong byte out: what comes before the failure is what was sealed", async () => {
      const sealed = await sealTree([file("a", noise(9_000_000))]);
      await using whole = await open(sealed);
      const tar = Buffer.concat(await collect(whole.tar()));
      const bytes = Buffer.from(storedBytes(sealed.storage, fileNames.artifact));
      bytes[6_000_000] = (bytes[6_000_000] ?? 0) ^ 1;
      replaceFile(sealed.storage, fileNames.artifact, bytes);
      await using damaged = await open(sealed);
      let seen = 0;
      const reading = async () => {
        for await (const piece of damaged.tar()) {
          assert.ok(tar.subarray(seen, seen + piece.length).equals(piece));
          seen += piece.length;
        }
      };
      await assert.rejects(reading, isCorrupt);
      assert.equal(seen, 4_194_304);
    });
  });

  describe("a file that is not what it was", () => {
    const changes: readonly [name: string, change: (bytes: Buffer) => Buffer][] = [
      ["cut by a byte", (bytes) => bytes.subarray(0, -1)],
      ["cut to a half", (bytes) => bytes.subarray(0, bytes.length / 2)],
      ["cut to a byte", (bytes) => bytes.subarray(0, 1)],
      ["empty", () => Buffer.alloc(0)],
      ["longer by a byte", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
      ["doubled", (bytes) => Buffer.concat([bytes, bytes])],
      ["all zeros", (bytes) => Buffer.alloc(bytes.length)],
    ];
    for (const name of names)
      it(`is found: ${name}, cut, emptied, lengthened or missing`, async () => {
        const sealed = await sealSample();
        const whole = storedBytes(sealed.storage, name);
        for (const [how, change] of changes) {
          replaceFile(sealed.storage, name, change(whole));
          await assert.rejects(check(sealed), isCorrupt, how);
          await assert.rejects(readAll(sealed), isCorrupt, how);
        }
        sealed.storage.files.delete(`${directory}/${name}`);
        await assert.rejects(check(sealed), isCorrupt, "missing");
        await assert.rejects(readAll(sealed), isCorrupt, "missing");
      });

    it("is found where it is another artifact's", async () => {
      const [sealed, other] = [await sealSample(), await sealSample()];
      for (const name of names) {
        const own = storedBytes(sealed.storage, name);
        replaceFile(sealed.storage, name, storedBytes(other.storage, name));
        await assert.rejects(check(sealed), isCorrupt, name);
        await assert.rejects(readAll(sealed), isCorrupt, name);
        replaceFile(sealed.storage, name, own);
      }
    });

    it("is found where the whole directory is another snapshot's", async () => {
      const sealed = await sealSample();
      const moved = snapshotDirectory({ ...ids, snapshotId: "n2" });
      for (const name of names) sealed.storage.files.set(`${moved}/${name}`, storedBytes(sealed.storage, name));
      await assert.rejects(door.verify({ storage: sealed.storage, directory: moved }), isCorrupt);
      const { storage } = sealed;
      await assert.rejects(door.openArtifact({ storage, directory: moved, identities: [identity] }), isCorrupt);
    });

    it("is found where documents were made to fit it: a payload cut, lengthened or shuffled by whole chunks", async () => {
      const chunk = 65_552;
      const sealed = await sealSample();
      const whole = storedBytes(sealed.storage, fileNames.artifact);
      const start = sealed.result.manifest.artifact.headerBytes + 16;
      const part = (from: number, to?: number) => whole.subarray(start + from * chunk, to && start + to * chunk);
      const shapes = [
        [whole.subarray(0, start), part(0, 1)],
        [whole.subarray(0, start), part(0, 3)],
        [whole.subarray(0, start), part(1)],
        [whole.subarray(0, start), part(1, 2), part(0, 1), part(2)],
        [whole, part(2)],
        [whole.subarray(0, start), Buffer.alloc(16)],
        [whole.subarray(0, start)],
        [whole.subarray(0, start - 16)],
      ];
      for (const [index, shape] of shapes.entries()) {
        forgeArtifactBytes(sealed.storage, Buffer.concat(shape));
        assert.equal((await check(sealed)).depth, "BYTES");
        await assert.rejects(readAll(sealed), isCorrupt, `shape ${index}`);
      }
    });

    it("is told from the true one by the manifest's hash, however well it was forged", async () => {
      const sealed = await sealSample();
      const { manifestSha256 } = sealed.result;
      const place = { storage: sealed.storage, directory, manifestSha256 };
      assert.equal((await door.verify(place)).manifestSha256, manifestSha256);
      replaceManifest(sealed.storage, (manifest) => ({ ...manifest, durationMs: manifest.durationMs + 1 }));
      assert.equal((await check(sealed)).depth, "BYTES");
      await assert.rejects(door.verify(place), isCorrupt);
      await assert.rejects(open(sealed, { manifestSha256 }), isCorrupt);
    });
  });

  describe("a wrong key", () => {
    it("is KEY_UNAVAILABLE, for whole bytes and for bytes that are damaged behind the header", async () => {
      const sealed = await sealSample();
      for (const identities of [[], [strangerIdentity], ["AGE-SECRET-KEY-1NONSENSE"], ["nonsense"]]) {
        await assert.rejects(open(sealed, { identities }), isKeyUnavailable);
        await assert.rejects(check(sealed, identities), isKeyUnavailable);
      }
      await using artifact = await open(sealed, { identities: [strangerIdentity, identity] });
      assert.equal(artifact.manifest.counts.files, 3);
    });

    it("never appears in an error", async () => {
      const sealed = await sealSample();
      const broken = `${strangerIdentity.slice(0, -1)}X`;
      await assert.rejects(open(sealed, { identities: [broken] }), (error: Error) => {
        return isKeyUnavailable(error) && !inspect(error, { depth: 9 }).includes("1A24RQFP");
      });
    });

    it("is told from a damaged header, byte for byte", async () => {
      const sealed = await sealSample();
      const whole = storedBytes(sealed.storage, fileNames.artifact);
      for (let place = 0; place < sealed.result.manifest.artifact.headerBytes; place += 3) {
        const flipped = Buffer.from(whole);
        flipped[place] = (flipped[place] ?? 0) ^ 4;
        replaceFile(sealed.storage, fileNames.artifact, flipped);
        await assert.rejects(open(sealed), isCorrupt, `byte ${place}`);
        await assert.rejects(open(sealed, { identities: [strangerIdentity] }), isCorrupt, `byte ${place}`);
      }
    });
  });

  describe("an artifact that is not there", () => {
    it("is NOT_STORED, and no damage", async () => {
      const sealed = await sealSample();
      sealed.storage.files.clear();
      for (const attempt of [check(sealed), open(sealed)])
        await assert.rejects(attempt, (error) => error instanceof StorageError && error.code === "NOT_STORED");
    });

    it("of a later version is refused by name", async () => {
      const sealed = await sealSample();
      for (const name of [fileNames.manifest, fileNames.meta]) {
        const text = storedBytes(sealed.storage, name).toString();
        replaceFile(sealed.storage, name, Buffer.from(text.replace('"version": 1', '"version": 2')));
      }
      await assert.rejects(open(sealed), { code: "UNSUPPORTED_VERSION", facts: { version: 2, newestVersion: 1 } });
    });
  });
}
