// Artifacts that somebody who holds a recipient made to hurt whoever opens them: every one is refused, by name.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { ArtifactError, type Manifest } from "#artifact/node";
import type { SealedWriter } from "../../artifact/sealed-writer.ts";
import { encodeTarHeader, type TarEntry } from "../../artifact/tar/header.ts";
import { type Door, doors, openThrough } from "./doors.ts";
import { forgeArtifact } from "./forging.ts";
import { collect, noise, readEntries, type Sealed } from "./sealing.ts";

const end = Buffer.alloc(1024);
const checksumField = { at: 148, length: 8 };

function header(name: string | Buffer, changes: Partial<TarEntry> = {}): Buffer {
  const facts = { kind: "file", size: 0, mode: 0o644, mtimeMs: 0, uid: 0, gid: 0, linkName: null } as const;
  return Buffer.from(encodeTarHeader({ ...facts, name: Buffer.from(name), ...changes }));
}

function linkTo(target: string, kind: "symlink" | "hardlink" = "symlink"): Partial<TarEntry> {
  return { kind, linkName: Buffer.from(target) };
}

/** Changes bytes of a header and makes its checksum fit again. */
function edited(block: Buffer, at: number, bytes: string): Buffer {
  const changed = Buffer.from(block);
  changed.write(bytes, at, "latin1");
  const last = changed.length - 512;
  changed.fill(0x20, last + checksumField.at, last + checksumField.at + checksumField.length);
  const sum = changed.subarray(last).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, "0")}\0 `, last + checksumField.at, "latin1");
  return changed;
}

function forgeTar(pieces: readonly Buffer[], claims?: Partial<Manifest>): Promise<Sealed> {
  return forgeArtifact(async (writer) => {
    for (const piece of pieces) await writer.frames.write(piece);
  }, claims);
}

/** What every forged tar ends in where nothing else was found: its manifest claims more entries than it has. */
const tooLate = /Less is in the backup/;

for (const door of doors) describe(`through ${door.name}`, () => hostilityIsRefused(door));

function hostilityIsRefused(door: Door): void {
  const assertRefused = async (sealed: Sealed, code: ArtifactError["code"], told?: string) => {
    const reading = async () => {
      await using artifact = await openThrough(door, sealed);
      await readEntries(artifact);
    };
    const isRefusal = (error: unknown) => error instanceof ArtifactError && error.code === code;
    await assert.rejects(reading, (error) => isRefusal(error) && !tooLate.test((error as Error).message), told);
  };

  describe("the tar in a forged artifact", () => {
    it("is read where nothing is wrong with it", async () => {
      const counts = { files: 1, directories: 0, symlinks: 0, hardlinks: 0 };
      const tar = [header("a", { size: 5 }), Buffer.from("hello"), Buffer.alloc(507), end];
      await using artifact = await openThrough(door, await forgeTar(tar, { counts, plainBytes: 5 }));
      assert.equal((await readEntries(artifact))[0]?.content?.toString(), "hello");
    });

    it("may hold no name that leads out of the directory it is unpacked in", async () => {
      const trees: Buffer[][] = [
        ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "./a", ".", "a//b", ""].map((name) => header(name)),
        [header("d/..", { kind: "directory" })],
        [header("a".repeat(32_769))],
        [header("l", linkTo("/etc")), header("l/passwd")],
        [header("l", linkTo("/etc")), header("l")],
        [header("l", linkTo("/etc")), header("h", linkTo("l", "hardlink")), header("h/passwd")],
        [header("l", linkTo("/etc")), header("h", linkTo("l/passwd", "hardlink"))],
        [header("h", linkTo("/etc/passwd", "hardlink"))],
        [header("h", linkTo("../x", "hardlink"))],
        [header("l", linkTo(""))],
      ];
      const [single = [], ...rest] = trees;
      for (const tree of [...single.map((one) => [one]), ...rest])
        await assertRefused(await forgeTar([...tree, end]), "ENTRY_REFUSED", tree.at(-1)?.toString("latin1", 0, 40));
    });

    it("may hold no devices, FIFOs, sparse files or other kinds", async () => {
      for (const type of ["3", "4", "6", "7", "g", "S", "L", "K", "\0"])
        await assertRefused(await forgeTar([edited(header("dev"), 156, type), end]), "ENTRY_REFUSED", type);
    });

    it("has headers that are written in one way only", async () => {
      const long = header("n".repeat(200));
      const tampered: readonly [told: string, block: Buffer][] = [
        ["a wrong checksum", edited(header("a"), 0, "b").fill("0", 148, 154)],
        ["another magic", edited(header("a"), 257, "ustar  \0")],
        ["a prefix", edited(header("a"), 345, "../..")],
        ["an owner's name", edited(header("a"), 265, "root")],
        ["bytes behind a name", edited(header("a"), 2, "b")],
        ["a number with spaces", edited(header("a"), 100, "    644\0")],
        ["a size in base 256", edited(header("a"), 124, "\x80\0\0\0\0\0\0\0\0\0\0\x05")],
        ["a directory with content", edited(header("d", { kind: "directory" }), 124, "00000000005\0")],
        ["a directory without its slash", edited(header("dd", { kind: "directory" }), 2, "\0")],
        ["a mode with more bits", edited(header("a"), 100, "0100644\0")],
        ["an unknown record", Buffer.from(long.toString("latin1").replace("path=", "pa2h="), "latin1")],
        ["a record of a wrong length", Buffer.from(long.toString("latin1").replace("210 path", "209 path"), "latin1")],
        ["a record that is not needed", withRecord("a", "5 a=b\n")],
        ["a path that is not needed", withRecord("a", "10 path=a\n")],
        ["an endless record", withRecord("a", "999999999 path=a\n")],
        ["a record of no length", withRecord("a", "0 path=a\n")],
        ["a record without a key", withRecord("a", "garbage")],
      ];
      for (const [told, block] of tampered) await assertRefused(await forgeTar([block, end]), "ARTIFACT_CORRUPT", told);
    });

    it("has an extended header of a bounded length", async () => {
      const huge = edited(header("PaxHeader"), 156, "x");
      await assertRefused(await forgeTar([edited(huge, 124, "00010000000\0"), end]), "ARTIFACT_CORRUPT");
      await assertRefused(await forgeTar([edited(huge, 124, "77777777777\0"), end]), "ARTIFACT_CORRUPT");
    });

    it("ends where it says, in two empty blocks and nothing after them", async () => {
      const file = [header("a", { size: 5 }), Buffer.from("hello"), Buffer.alloc(507)];
      const ends: readonly [told: string, pieces: Buffer[]][] = [
        ["no end", file],
        ["half an end", [...file, Buffer.alloc(512)]],
        ["a header for a second half", [...file, Buffer.alloc(512), header("b")]],
        ["something after", [...file, end, Buffer.alloc(512)]],
        ["a second tar after", [...file, end, ...file, end]],
        ["a content cut off", [header("a", { size: 5000 }), Buffer.from("hello")]],
        ["a padding that is none", [header("a", { size: 5 }), Buffer.from("hello"), Buffer.alloc(507, 1), end]],
        ["a header cut off", [...file, Buffer.alloc(100)]],
      ];
      for (const [told, pieces] of ends) await assertRefused(await forgeTar(pieces), "ARTIFACT_CORRUPT", told);
    });

    it("holds no more than the manifest says, and no less", async () => {
      const tar = [header("a", { size: 5 }), Buffer.from("hello"), Buffer.alloc(507), header("b"), end];
      const counts = { files: 2, directories: 0, symlinks: 0, hardlinks: 0 };
      await using fitting = await openThrough(door, await forgeTar(tar, { counts, plainBytes: 5 }));
      assert.equal((await readEntries(fitting)).length, 2);
      await assertRefused(await forgeTar(tar, { counts, plainBytes: 4 }), "LIMIT_EXCEEDED");
      await assertRefused(await forgeTar(tar, { counts: { ...counts, files: 1 }, plainBytes: 5 }), "LIMIT_EXCEEDED");
      for (const claims of [
        { counts, plainBytes: 6 },
        { counts: { ...counts, files: 3 }, plainBytes: 5 },
      ]) {
        await using lacking = await openThrough(door, await forgeTar(tar, claims));
        await assert.rejects(readEntries(lacking), tooLate);
      }
    });
  });

  describe("the frames in a forged artifact", () => {
    const plain = Buffer.concat([header("a"), end]);
    const frame = zstdCompressSync(plain, { pledgedSrcSize: plain.length });
    const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.alloc(4)]);
    const append = (bytes: Buffer, plainBytes: number) => (writer: SealedWriter) =>
      writer.frames.append(bytes, plainBytes);
    const cases: readonly [told: string, bytes: Buffer, claimed: number, code: ArtifactError["code"]][] = [
      ["more plaintext than claimed", frame, plain.length - 1, "LIMIT_EXCEEDED"],
      ["a bomb", zstdCompressSync(Buffer.alloc(8_000_000)), 1024, "LIMIT_EXCEEDED"],
      ["less plaintext than claimed", frame, plain.length + 1, "ARTIFACT_CORRUPT"],
      ["two frames in one", Buffer.concat([frame, frame]), 2 * plain.length, "ARTIFACT_CORRUPT"],
      ["a skippable frame behind it", Buffer.concat([frame, skippable]), plain.length, "ARTIFACT_CORRUPT"],
      ["junk behind it", Buffer.concat([frame, Buffer.from("junk")]), plain.length, "ARTIFACT_CORRUPT"],
      ["its end missing", frame.subarray(0, -3), plain.length, "ARTIFACT_CORRUPT"],
      ["a beginning that is none", Buffer.concat([Buffer.from("junk"), frame]), plain.length, "ARTIFACT_CORRUPT"],
      ["a skippable frame instead", skippable, 4, "ARTIFACT_CORRUPT"],
      ["more plaintext than a frame may have", frame, 8_388_609, "ARTIFACT_CORRUPT"],
      ["no plaintext", frame, 0, "ARTIFACT_CORRUPT"],
      ["a window larger than any frame", longWindow(), 1024, "ARTIFACT_CORRUPT"],
    ];
    for (const [told, bytes, claimed, code] of cases)
      it(`are refused: ${told}`, async () => assertRefused(await forgeArtifact(append(bytes, claimed)), code));

    it("are as many, and as much, as the manifest says", async () => {
      const fill = append(frame, plain.length);
      const counts = { files: 1, directories: 0, symlinks: 0, hardlinks: 0 };
      await using fitting = await openThrough(door, await forgeArtifact(fill, { counts, plainBytes: 0 }));
      assert.equal((await collect(fitting.tar())).length, 1);
      await assertRefused(await forgeArtifact(fill, { file: { plainBytes: plain.length - 1 } }), "LIMIT_EXCEEDED");
      await assertRefused(await forgeArtifact(fill, { file: { plainBytes: plain.length + 1 } }), "ARTIFACT_CORRUPT");
      await assertRefused(await forgeArtifact(fill, { file: { frames: 2 } }), "ARTIFACT_CORRUPT");
    });
  });
}

/** An extended header with this record in front of a plain one. */
function withRecord(name: string, record: string): Buffer {
  const size = record.length.toString(8).padStart(11, "0");
  const extended = edited(edited(header("PaxHeader"), 156, "x"), 124, `${size}\0`);
  return Buffer.concat([extended, Buffer.from(record.padEnd(512, "\0")), header(name)]);
}

/** A frame whose size is not told and whose window is 1 GiB. */
function longWindow(): Buffer {
  const bytes = Buffer.from(
    zstdCompressSync(noise(2000), {
      params: { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_windowLog]: 11 },
    }),
  );
  bytes[5] = (30 - 10) << 3;
  return bytes;
}
