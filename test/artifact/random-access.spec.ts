// One entry out of many: found in the catalogue, taken out of its frames, and believed only where both say the same.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { ArtifactError, type CatalogueEntry, fileNames, type OpenedArtifact, type Storage } from "#artifact/node";
import { encodeTarHeader } from "../../artifact/tar/header.ts";
import { doors, openThrough } from "./doors.ts";
import { forgeArtifact } from "./forging.ts";
import { collect, directory, file, folder, identity, link, noise, piecesOf, type Sealed, sealTree } from "./sealing.ts";

const notText = new Uint8Array([0x61, 0x2f, 0xff]);
const longName = `long/${"n".repeat(300)}`;

/** Nine frames: two in front of a dump, its header, three of its content, and what is behind it. */
async function sealSample(): Promise<Sealed> {
  return sealTree([
    folder("a"),
    file("a/small", "hello"),
    file("a/empty", ""),
    file("a/large", noise(5_000_000)),
    file(notText, "bytes"),
    link("a/link", "small"),
    link("a/hard", "a/small", "hardlink"),
    file("dump", "", { size: null, content: piecesOf(Array(9).fill(noise(1_000_000))) }),
    file("ab", "not below a"),
    file("late", noise(4_500_000)),
    file(longName, "named at length", { mtimeMs: 1_700_000_000_123 }),
  ]);
}

async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await collect(content));
}

async function findOne(artifact: OpenedArtifact, path: string): Promise<CatalogueEntry> {
  const [entry] = await collect(artifact.find([path]));
  assert.ok(entry, path);
  return entry;
}

function isContradiction(error: unknown): boolean {
  return error instanceof ArtifactError && error.code === "ARTIFACT_CORRUPT";
}

/** Notes every read of the backup. */
function watched({ storage }: Sealed): { storage: Pick<Storage, "open" | "stat">; reads: [number, number][] } {
  const reads: [number, number][] = [];
  const open = async (place: string, name: string) => {
    const file = await storage.open(place, name);
    if (name !== fileNames.artifact) return file;
    return {
      ...file,
      size: file.size,
      close: () => file.close(),
      read: (position: number, length: number) => {
        reads.push([position, length]);
        return file.read(position, length);
      },
    };
  };
  return { storage: { open, stat: (place, name) => storage.stat(place, name) }, reads };
}

for (const door of doors) {
  describe(`find, through ${door.name}`, () => {
    it("gives the entries of exact names, and everything below a directory", async () => {
      await using artifact = await openThrough(door, await sealSample());
      const found = async (...paths: (string | Uint8Array)[]) =>
        (await collect(artifact.find(paths))).map(({ path }) => path);
      assert.deepEqual(await found("a/small"), ["a/small"]);
      assert.deepEqual(await found("late", "a/small", "dump"), ["a/small", "dump", "late"]);
      assert.deepEqual(await found("a"), ["a", "a/small", "a/empty", "a/large", notText, "a/link", "a/hard"]);
      assert.deepEqual(await found(notText), [notText]);
      assert.deepEqual(await found("a/smal", "small", "a/", "", "a/small/x"), []);
      assert.deepEqual(await found("long"), [longName]);
      assert.equal((await found(".")).length, 11);
      assert.deepEqual(await found(), []);
    });

    it("finds names that need escapes in the catalogue", async () => {
      const names = ['quo"te', "back\\slash", "tab\tand\nline", "é", "🎉/x", "\u2028"];
      await using artifact = await openThrough(door, await sealTree(names.map((name) => file(name, name))));
      for (const name of names)
        assert.equal((await bytesOf(artifact.pick(await findOne(artifact, name)))).toString(), name);
    });
  });

  describe(`pick, through ${door.name}`, () => {
    it("gives the content of every entry, and nothing for what has none", async () => {
      await using artifact = await openThrough(door, await sealSample());
      for (const entry of await collect(artifact.catalogue())) {
        const content = await bytesOf(artifact.pick(entry));
        assert.equal(content.length, entry.size);
        assert.equal(entry.kind === "file" ? hash("sha256", content) : undefined, entry.sha256);
      }
    });

    it("reads the frames that hold the entry, each by one range, and nothing else", async () => {
      const sealed = await sealSample();
      const { storage, reads } = watched(sealed);
      await using artifact = await door.openArtifact({ storage, directory, identities: [identity] });
      for (const [path, frames] of [
        ["a/small", 1],
        ["a/large", 2],
        // Three of content and the one that its padding begins; its header lies in a chunk that the one in front shared.
        ["dump", 4],
        [longName, 1],
      ] as const) {
        const entry = await findOne(artifact, path);
        reads.length = 0;
        await bytesOf(artifact.pick(entry));
        assert.equal(reads.length, frames, path);
        const fetched = reads.reduce((sum, [, length]) => sum + length, 0);
        assert.ok(fetched <= frames * 4_300_000, path);
      }
    });

    it("may be given up, and runs beside another", async () => {
      await using artifact = await openThrough(door, await sealSample());
      const large = await findOne(artifact, "a/large");
      for await (const _ of artifact.pick(large)) break;
      const late = await findOne(artifact, "late");
      const both = await Promise.all([bytesOf(artifact.pick(large)), bytesOf(artifact.pick(late))]);
      assert.ok(both[0].equals(noise(5_000_000)) && both[1].equals(noise(4_500_000)));
    });

    it("refuses an entry that is not what the tar has in its place", async () => {
      await using artifact = await openThrough(door, await sealSample());
      const [small, large] = [await findOne(artifact, "a/small"), await findOne(artifact, "a/large")];
      const lies: readonly Partial<CatalogueEntry>[] = [
        { path: "a/smaller" },
        { kind: "directory" },
        { size: 6 },
        { size: 0 },
        { size: -1 },
        { size: -1024 },
        { size: 2 ** 50 },
        { mode: 0o755 },
        { mtimeMs: small.mtimeMs + 1 },
        { linkTarget: "a" },
        { offset: -512 },
        { offset: small.offset + 1 },
        { offset: large.offset, contentOffset: large.contentOffset },
        { offset: 2 ** 50, contentOffset: 2 ** 50 + 512 },
        { offset: Number.NaN },
        { contentOffset: small.offset },
        { contentOffset: small.contentOffset + 512 },
        { contentOffset: small.contentOffset + 1024 },
        { contentOffset: Number.POSITIVE_INFINITY },
      ];
      for (const lie of lies)
        await assert.rejects(bytesOf(artifact.pick({ ...small, ...lie })), isContradiction, JSON.stringify(lie));
      const { sha256: _, ...without } = small;
      await assert.rejects(bytesOf(artifact.pick(without)), isContradiction);
    });

    it("throws in front of its end where the content has another hash", async () => {
      await using artifact = await openThrough(door, await sealSample());
      for (const path of ["a/small", "a/large"]) {
        const entry = { ...(await findOne(artifact, path)), sha256: "0".repeat(64) };
        await assert.rejects(bytesOf(artifact.pick(entry)), isContradiction, path);
      }
      let seen = 0;
      const reading = async () => {
        for await (const _ of artifact.pick({ ...(await findOne(artifact, "a/small")), sha256: "0".repeat(64) }))
          seen++;
      };
      await assert.rejects(reading, isContradiction);
      assert.equal(seen, 0);
    });
  });

  describe(`pickAll, through ${door.name}`, () => {
    it("gives the entries of a selection in the tar's order, reading every frame once", async () => {
      const sealed = await sealSample();
      const { storage, reads } = watched(sealed);
      await using artifact = await door.openArtifact({ storage, directory, identities: [identity] });
      reads.length = 0;
      const seen: object[] = [];
      for await (const { path, kind, content, linkTarget, uid } of artifact.pickAll(artifact.find(["a", "late"])))
        seen.push({ path, kind, linkTarget, uid, sha256: hash("sha256", await bytesOf(content)) });
      const described = await collect(artifact.find(["a", "late"]));
      assert.deepEqual(
        seen,
        described.map(({ path, kind, linkTarget, sha256 }) => {
          return { path, kind, linkTarget, uid: 1000, sha256: sha256 ?? hash("sha256", "") };
        }),
      );
      assert.equal(new Set(reads.map(([position]) => position)).size, reads.length);
      assert.ok(reads.reduce((sum, [, length]) => sum + length, 0) < sealed.result.manifest.artifact.storedBytes);
    });

    it("skips what is not read of an entry, and takes a list as well", async () => {
      await using artifact = await openThrough(door, await sealSample());
      const entries = await collect(artifact.find(["a/large", "dump", "late", longName]));
      const names = (await collect(artifact.pickAll(entries))).map(({ path }) => path);
      assert.deepEqual(names, ["a/large", "dump", "late", longName]);
      assert.deepEqual(await collect(artifact.pickAll([])), []);
    });

    it("has the whole of a content that lies in one frame in memory already", async () => {
      await using artifact = await openThrough(door, await sealSample());
      for await (const { path, bytes, content } of artifact.pickAll(artifact.find(["a/small", "a/large"]))) {
        if (path === "a/small") assert.deepEqual(Buffer.from(bytes ?? []).toString(), "hello");
        else assert.equal(bytes, undefined);
        assert.ok((await bytesOf(content)).length >= 5);
      }
    });

    it("refuses entries that overlap or go backwards", async () => {
      await using artifact = await openThrough(door, await sealSample());
      const [small, late] = [await findOne(artifact, "a/small"), await findOne(artifact, "late")];
      await assert.rejects(collect(artifact.pickAll([late, small])), isContradiction);
      await assert.rejects(collect(artifact.pickAll([small, small])), isContradiction);
    });

    it("refuses names that lead out of the directory they are unpacked in", async () => {
      const sealed = await forgeArtifact(async (writer) => {
        const facts = { kind: "file", size: 0, mode: 0o644, mtimeMs: 0, uid: 0, gid: 0, linkName: null } as const;
        await writer.frames.write(encodeTarHeader({ ...facts, name: Buffer.from("../x") }));
        await writer.frames.write(Buffer.alloc(1024));
      });
      await using artifact = await openThrough(door, sealed);
      const facts = { kind: "file", size: 0, mode: 0o644, mtimeMs: 0, offset: 0, contentOffset: 512 } as const;
      const entry = { ...facts, path: "../x", sha256: hash("sha256", "") };
      await assert.rejects(bytesOf(artifact.pick(entry)), { code: "ENTRY_REFUSED" });
    });
  });
}
