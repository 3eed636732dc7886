// The lines of a catalogue, in their order and side by side: whatever is out of its place is refused.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ArtifactError, type Manifest } from "#artifact";
import { type CatalogueLine, formatCatalogueLine } from "../../artifact/catalogue.ts";
import { readCatalogue } from "../../artifact/catalogue-reader.ts";
import { CatalogueSelection } from "../../artifact/catalogue-selection.ts";
import { collect, file, folder, ids, piecesOf, sealTree } from "./sealing.ts";

const header: CatalogueLine = { kind: "header", ids };
const facts = { mode: 0o644, mtimeMs: 0 };
const first: CatalogueLine = {
  kind: "entry",
  entry: { ...facts, path: "a", kind: "directory", size: 0, offset: 0, contentOffset: 512 },
};
const second: CatalogueLine = {
  kind: "entry",
  entry: { ...facts, path: "b", kind: "file", size: 5, offset: 512, contentOffset: 1024, sha256: "0".repeat(64) },
};
const warning: CatalogueLine = { kind: "warning", warning: { code: "VANISHED", path: "c", message: "Gone." } };
const unreadable: CatalogueLine = { kind: "warning", warning: { code: "UNREADABLE", path: "c", message: "No." } };
const end = { kind: "end", entries: 2, warnings: 1 } as const satisfies CatalogueLine;

describe("a catalogue", () => {
  let manifest: Manifest;
  before(async () => {
    const sealed = (await sealTree([folder("a"), file("b", "hello")])).result.manifest;
    manifest = { ...sealed, warnings: { VANISHED: 1 }, partial: true };
  });

  const read = (text: string, step = 1000, selection?: CatalogueSelection) => {
    const bytes = Buffer.from(text);
    const pieces: { start: number; bytes: Uint8Array }[] = [];
    for (let start = 0; start < bytes.length; start += step)
      pieces.push({ start, bytes: bytes.subarray(start, start + step) });
    return collect(readCatalogue(piecesOf(pieces), manifest, selection));
  };
  /** Whoever looks for an entry that is not there is told as well. */
  const refused = async (text: string, told: string) => {
    const isCorrupt = (error: unknown) => error instanceof ArtifactError && error.code === "ARTIFACT_CORRUPT";
    await assert.rejects(read(text), isCorrupt, told);
    await assert.rejects(read(text, 1000, new CatalogueSelection(["else"])), isCorrupt, `${told}, looked through`);
  };
  const textOf = (lines: readonly CatalogueLine[]) => lines.map(formatCatalogueLine).join("");

  it("gives its entries and warnings back, however it is cut", async () => {
    assert.deepEqual(await read(textOf([header, first, second, warning, end])), [first, second, warning]);
    const text = [header, first, second, { ...warning, warning: { ...warning.warning, path: "é🎉" } }, end]
      .map((line) => formatCatalogueLine(line as CatalogueLine))
      .join("");
    const whole = await read(text);
    for (const step of [1, 2, 3, 7, 100]) assert.deepEqual(await read(text, step), whole);
  });

  it("is read whatever the order of its keys, and whatever it says besides", async () => {
    const other = '{"offset":512,"later":[1],"size":5,"mode":420,"kind":"file","contentOffset":1024,"path":"\\u0062",';
    const line = `${other}"mtimeMs":0,"sha256":"${"0".repeat(64)}"}\n`;
    const text = `${textOf([header, first])}${line}${textOf([warning, end])}`;
    assert.deepEqual(await read(text, 1000, new CatalogueSelection(["b"])), [second, warning]);
    assert.deepEqual(await read(text), [first, second, warning]);
  });

  it("has its lines in one order only", async () => {
    const orders: readonly (readonly [told: string, lines: readonly CatalogueLine[]])[] = [
      ["no header", [first, second, warning, end]],
      ["a header behind an entry", [first, header, second, warning, end]],
      ["two headers", [header, header, first, second, warning, end]],
      ["an entry behind a warning", [header, first, warning, second, end]],
      ["entries in another order", [header, second, first, warning, end]],
      ["an entry twice", [header, first, first, second, warning, end]],
      ["no end", [header, first, second, warning]],
      ["fewer warnings than the manifest says", [header, first, second, { ...end, warnings: 0 }]],
      ["more warnings than the manifest says", [header, first, second, warning, warning, { ...end, warnings: 2 }]],
      ["a warning of another code", [header, first, second, unreadable, end]],
      ["two ends", [header, first, second, warning, end, end]],
      ["a warning behind the end", [header, first, second, end, warning]],
      ["nothing", []],
    ];
    for (const [told, lines] of orders) await refused(textOf(lines), told);
    await refused(`${textOf([header, first, second, warning, end])}x`, "more behind it");
  });

  it("has entries of which each is what the one in front of it leaves room for", async () => {
    const edits: readonly Partial<typeof second.entry>[] = [
      { offset: 0 },
      { offset: 511 },
      { contentOffset: 512 },
      { contentOffset: 1536 },
      { contentOffset: 1025 },
      { offset: 1024, contentOffset: 1536 },
      { size: 600 },
      { size: 0 },
    ];
    for (const edit of edits) {
      const line: CatalogueLine = { kind: "entry", entry: { ...second.entry, ...edit } };
      await refused(textOf([header, first, line, warning, end]), JSON.stringify(edit));
    }
  });

  it("has entries whose every field is sound", async () => {
    const line = formatCatalogueLine(second);
    for (const [from, to] of [
      ['"path":"b"', '"path":5'],
      ['"path":"b"', '"path":"b","pathBase64":"!"'],
      ['"path":"b",', ""],
      ['"file"', '"socket"'],
      ["420", "4096"],
      ['"mtimeMs":0', '"mtimeMs":0.5'],
      ['"mtimeMs":0', '"mtimeMs":9007199254740992'],
      ["00000", "0000G"],
      ["00000", "0000"],
      ["}", ',"linkTarget":5}'],
    ] as const) {
      const changed = line.replace(from, to);
      assert.notEqual(changed, line);
      const text = `${textOf([header, first])}${changed}${textOf([warning, end])}`;
      await assert.rejects(read(text), { code: "ARTIFACT_CORRUPT" }, `${from} → ${to}`);
    }
  });
});
