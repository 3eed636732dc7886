// Seek tables that somebody who holds a recipient made up: refused by name, before they cost anything.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ArtifactError, Manifest } from "#artifact/node";
import { frameOf, type HandFrame, replaceSealed, seekTable, type TableClaims } from "./hand-sealing.ts";
import { isRefusal, memoryInUse } from "./refusing.ts";
import { collect, type Sealed, sealTree } from "./sealing.ts";

type Code = ArtifactError["code"];

/** As much as one frame may have, and small when it is sealed. */
const bombBytes = 8_388_608;
const bomb: HandFrame = frameOf(Buffer.alloc(bombBytes));

describe("a seek table in a forged artifact", () => {
  const content = Buffer.alloc(1024);
  const frame = frameOf(content);
  const rows = (...sizes: [storedBytes: number, plainBytes: number][]): TableClaims => ({
    rows: sizes.map(([storedBytes, plainBytes]) => ({ storedBytes, plainBytes })),
  });
  const { storedBytes: stored, plainBytes: plain } = frame;
  const forge = async (frames: readonly HandFrame[], claims: TableClaims, facts: Partial<Manifest["artifact"]>) => {
    const sealed = await sealTree([]);
    const table = seekTable(frames, claims);
    await replaceSealed(sealed.storage, { part: "artifact", frames, table, facts });
    return sealed;
  };
  const assertRefused = async (sealed: Sealed, code: Code, told: string) => {
    const pieces: Uint8Array[] = [];
    const reading = async () => {
      await using artifact = await sealed.open();
      for await (const piece of artifact.tar()) pieces.push(piece);
    };
    await assert.rejects(reading, isRefusal(code), told);
    assert.deepEqual(pieces, [], told);
  };

  it("is read where nothing is wrong with it", async () => {
    await using artifact = await (await forge([frame], {}, {})).open();
    assert.deepEqual(Buffer.concat(await collect(artifact.tar())), content);
  });

  const lies: readonly [told: string, claims: TableClaims, facts: Partial<Manifest["artifact"]>, code: Code][] = [
    ["a small frame that claims 8 MiB", rows([stored, bombBytes]), { plainBytes: bombBytes }, "ARTIFACT_CORRUPT"],
    ["a frame that claims 4 GiB", rows([stored, 0xffffffff]), { plainBytes: 0xffffffff }, "ARTIFACT_CORRUPT"],
    ["a frame that reaches into the table", rows([stored + 8, plain]), {}, "ARTIFACT_CORRUPT"],
    ["a frame that reaches past the end", rows([0xffffffff, plain]), {}, "ARTIFACT_CORRUPT"],
    ["a frame that ends early", rows([stored - 1, plain]), {}, "ARTIFACT_CORRUPT"],
    ["a frame of no stored bytes", rows([0, plain]), {}, "ARTIFACT_CORRUPT"],
    [
      "two frames that overlap",
      rows([stored, plain], [stored, plain]),
      { frames: 2, plainBytes: 2 * plain },
      "ARTIFACT_CORRUPT",
    ],
    ["two frames, one of them of nothing", rows([stored, plain], [0, 0]), { frames: 2 }, "ARTIFACT_CORRUPT"],
    ["one frame cut in two", rows([stored - 9, plain - 9], [9, 9]), { frames: 2 }, "ARTIFACT_CORRUPT"],
    ["no frame", rows(), { frames: 0, plainBytes: 0 }, "ARTIFACT_CORRUPT"],
    ["more plaintext than the manifest says", {}, { plainBytes: plain - 1 }, "LIMIT_EXCEEDED"],
    ["a count one too high", { count: 2 }, {}, "ARTIFACT_CORRUPT"],
    ["a count of none", { count: 0 }, {}, "ARTIFACT_CORRUPT"],
    ["a count of 2^32 - 1", { count: 0xffffffff }, { frames: 0xffffffff }, "ARTIFACT_CORRUPT"],
    ["a count past any artifact", { count: 0x8000000 }, { frames: 0x8000000 }, "ARTIFACT_CORRUPT"],
    ["a body that is too long", { bodyBytes: 18 }, {}, "ARTIFACT_CORRUPT"],
    ["a body of nothing", { bodyBytes: 0 }, {}, "ARTIFACT_CORRUPT"],
    ["a body of 4 GiB", { bodyBytes: 0xffffffff }, {}, "ARTIFACT_CORRUPT"],
    ["another skippable frame", { skippableMagic: 0x184d2a50 }, {}, "ARTIFACT_CORRUPT"],
    ["a frame that no decoder skips", { skippableMagic: 0xfd2fb528 }, {}, "ARTIFACT_CORRUPT"],
    ["checksums that are not there", { descriptor: 0x80 }, {}, "ARTIFACT_CORRUPT"],
    ["a reserved bit", { descriptor: 0x04 }, {}, "ARTIFACT_CORRUPT"],
    ["an unused bit", { descriptor: 0x01 }, {}, "ARTIFACT_CORRUPT"],
    ["another magic number", { seekableMagic: 0x8f92eab0 }, {}, "ARTIFACT_CORRUPT"],
  ];
  for (const [told, claims, facts, code] of lies)
    it(`is refused: ${told}`, async () => assertRefused(await forge([frame], claims, facts), code, told));

  it("is refused where it is missing, cut, twice, or in front", async () => {
    const whole = seekTable([frame]);
    const tables: readonly [told: string, table: Buffer][] = [
      ["missing", Buffer.alloc(0)],
      ["its head missing", whole.subarray(8)],
      ["its end missing", whole.subarray(0, -1)],
      ["only its footer", whole.subarray(-9)],
      ["only its magic", whole.subarray(-4)],
      ["twice", Buffer.concat([whole, whole])],
      ["with a byte behind it", Buffer.concat([whole, Buffer.alloc(1)])],
    ];
    for (const [told, table] of tables) {
      const sealed = await sealTree([]);
      await replaceSealed(sealed.storage, { part: "artifact", frames: [frame], table });
      await assertRefused(sealed, "ARTIFACT_CORRUPT", told);
    }
    const sealed = await sealTree([]);
    const inFront: HandFrame = { ...frame, stored: Buffer.concat([whole, frame.stored]) };
    await replaceSealed(sealed.storage, { part: "artifact", frames: [inFront], table: Buffer.alloc(0) });
    await assertRefused(sealed, "ARTIFACT_CORRUPT", "in front");
  });

  it("costs no more than a frame at a time, however much it promises", async () => {
    // 16 GiB of zeros in two megabytes, and a manifest that says so.
    const frames = Array<HandFrame>(2048).fill(bomb);
    const counts = { files: 1, directories: 0, symlinks: 0, hardlinks: 0 };
    const sealed = await sealTree([]);
    await replaceSealed(sealed.storage, { part: "artifact", frames, claims: { counts, plainBytes: 2 ** 40 } });
    const before = memoryInUse();
    await using artifact = await sealed.open();
    await assert.rejects(collect(artifact.entries()), isRefusal("ARTIFACT_CORRUPT"));
    assert.ok(memoryInUse() - before < 4 * bombBytes);
  });

  it("costs little where it has a million rows of nothing", async () => {
    const rowCount = 1_000_000;
    const junk: HandFrame = { stored: Buffer.alloc(rowCount), storedBytes: rowCount, plainBytes: rowCount };
    const claims = { rows: Array(rowCount).fill({ storedBytes: 1, plainBytes: 1 }) };
    const sealed = await forge([junk], claims, { frames: rowCount });
    const before = memoryInUse();
    await assertRefused(sealed, "ARTIFACT_CORRUPT", "a million rows");
    assert.ok(memoryInUse() - before < 50_000_000);
  });
});
