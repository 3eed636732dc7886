// What somebody edits on purpose, and hashes or seals again, is found by whoever has the key or kept the manifest's hash.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { before, describe, it } from "node:test";
import { ArtifactError, fileNames, openArtifact, type Storage, verify } from "#artifact/node";
import { frameOf, replaceSealed } from "./hand-sealing.ts";
import { collect, directory, identity, ids } from "./sealing.ts";
import { assertFound, fileOf, isCorrupt, readPicked, sealTruth, storageWith, type Truth } from "./truth.ts";

type Json = Record<string, unknown>;

interface Edit {
  readonly told: string;
  readonly change: (document: Json) => void;
}

/** Every field of a document, however deep, changed and removed. */
function editsOf(document: Json): Edit[] {
  return Object.entries(document).flatMap(([key, value]) => {
    const removed: Edit = { told: `${key} removed`, change: (parent) => remove(parent, key) };
    const changed: Edit = {
      told: `${key} changed`,
      change: (parent) => Object.assign(parent, { [key]: another(value) }),
    };
    if (typeof value !== "object" || value === null) return [changed, removed];
    const inner = editsOf(value as Json).map(({ told, change }) => ({
      told: `${key}.${told}`,
      change: (parent: Json) => change(parent[key] as Json),
    }));
    return [...inner, removed];
  });
}

function remove(parent: Json, key: string): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

/** A value of the same form, so that it is not refused for that. */
function another(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  const text = String(value);
  if (/^\d{4}-\d\d-/.test(text)) return text.replace(/^\d{4}/, "1999");
  return text.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
}

function swap(one: string, other: string): Edit {
  const change = (parent: Json) => Object.assign(parent, { [one]: parent[other], [other]: parent[one] });
  return { told: `${one} and ${other} swapped`, change };
}

const swaps: readonly Edit[] = [
  swap("artifact", "catalogue"),
  swap("plainBytes", "durationMs"),
  { told: "two ids swapped", change: (document) => swap("jobId", "workerId").change(document.ids as Json) },
  {
    told: "two hashes swapped",
    change: (document) => swap("sha256", "headerSha256").change(document.artifact as Json),
  },
];

function documentBytes(document: Json): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}

describe("a document of an artifact", () => {
  let truth: Truth;
  before(async () => {
    truth = await sealTruth();
  });
  const parsed = (name: "manifest.json" | "meta.json"): Json => JSON.parse(String(fileOf(truth, name)));
  /** An edited manifest, and the meta.json that its editor would write. */
  const hashedAgain = ({ change }: Edit): Storage => {
    const manifest = parsed(fileNames.manifest);
    change(manifest);
    const { format, version, ids: all } = manifest;
    const bytes = documentBytes(manifest);
    const meta = { format, version, ids: all, manifestSha256: hash("sha256", bytes) };
    return storageWith(truth, [
      [fileNames.manifest, bytes],
      [fileNames.meta, documentBytes(meta)],
    ]);
  };

  for (const name of [fileNames.manifest, fileNames.meta])
    it(`hides no edit of any field: ${name}`, async () => {
      const edits = [
        ...editsOf(parsed(name)),
        { told: "a field added", change: (top: Json) => Object.assign(top, { a: 1 }) },
      ];
      if (name === fileNames.manifest) edits.push(...swaps);
      assert.ok(edits.length >= (name === fileNames.manifest ? 50 : 15), `${edits.length} edits`);
      for (const { told, change } of edits) {
        const document = parsed(name);
        change(document);
        await assertFound(truth, storageWith(truth, [[name, documentBytes(document)]]), told);
      }
    });

  it("hides no edit that was hashed again from whoever kept the manifest's hash, with a key or without", async () => {
    const { manifestSha256 } = truth.result;
    for (const edit of [...editsOf(parsed(fileNames.manifest)), ...swaps]) {
      const place = { storage: hashedAgain(edit), directory, manifestSha256 };
      await assert.rejects(verify(place), isCorrupt, edit.told);
      await assert.rejects(verify({ ...place, identities: [identity] }), isCorrupt, edit.told);
      await assert.rejects(openArtifact({ ...place, identities: [identity] }), isCorrupt, edit.told);
    }
  });

  it("hides no edit that was hashed again from whoever has the key, where it is about what is inside", async () => {
    // The rest tells how and when it was sealed: only the hash that was kept vouches for that.
    const aboutSealing = /^(createdAt|durationMs|tools|partial|algorithm|recipients|warnings)\b.*(changed|removed)$/;
    const inside = [...editsOf(parsed(fileNames.manifest)), ...swaps].filter(({ told }) => !aboutSealing.test(told));
    assert.ok(inside.length >= 40, `${inside.length} edits`);
    for (const edit of inside)
      await assert.rejects(
        verify({ storage: hashedAgain(edit), directory, identities: [identity] }),
        ArtifactError,
        edit.told,
      );
  });
});

describe("a catalogue that was sealed again", () => {
  let truth: Truth;
  let lines: readonly Json[];
  before(async () => {
    truth = await sealTruth();
    await using artifact = await openArtifact({ storage: storageWith(truth, []), directory, identities: [identity] });
    const warnings = await collect(artifact.warnings());
    lines = [
      { catalogue: 1, ids },
      ...truth.catalogue.map((entry) => ({ ...entry })),
      ...warnings.map(({ code, path, message }) => ({ warning: code, path, message })),
      { end: { entries: truth.catalogue.length, warnings: warnings.length } },
    ];
  });
  const sealedAgain = async (changed: readonly Json[]): Promise<Storage> => {
    const storage = storageWith(truth, []);
    const text = changed.map((line) => `${JSON.stringify(line)}\n`).join("");
    await replaceSealed(storage, { part: "catalogue", frames: [frameOf(Buffer.from(text))] });
    return storage;
  };

  it("is whole where it says what the first one said", async () => {
    const { depth } = await verify({ storage: await sealedAgain(lines), directory, identities: [identity] });
    assert.equal(depth, "CONTENTS");
  });

  it("is found where it says of any entry what is not so, or has other entries", async () => {
    const edited = lines.flatMap((line, index) =>
      "warning" in line
        ? []
        : editsOf(line).map(({ told, change }) => {
            const copy = structuredClone(line);
            change(copy);
            return { told: `line ${index}: ${told}`, changed: lines.with(index, copy) };
          }),
    );
    const [header = {}, first = {}, second = {}, ...rest] = lines;
    const counted = (by: number): Json => ({ end: { entries: truth.catalogue.length + by, warnings: 1 } });
    const reshaped = [
      { told: "an entry left out", changed: [header, second, ...rest] },
      { told: "an entry left out and counted so", changed: [header, second, ...rest.with(-1, counted(-1))] },
      { told: "an entry twice", changed: [header, first, first, second, ...rest] },
      { told: "an entry twice and counted so", changed: [header, first, first, second, ...rest.with(-1, counted(1))] },
      { told: "two entries swapped", changed: [header, second, first, ...rest] },
      { told: "no header", changed: lines.slice(1) },
      { told: "no end", changed: lines.slice(0, -1) },
      { told: "two ends", changed: [...lines, ...lines.slice(-1)] },
      { told: "an entry behind the end", changed: [...lines, first] },
      { told: "nothing", changed: [{}] },
    ];
    for (const { told, changed } of [...edited, ...reshaped]) {
      const place = { storage: await sealedAgain(changed), directory };
      await assert.rejects(verify({ ...place, identities: [identity] }), ArtifactError, told);
      const { manifestSha256 } = truth.result;
      await assert.rejects(verify({ ...place, manifestSha256 }), isCorrupt, told);
      await using artifact = await openArtifact({ ...place, identities: [identity] });
      await assert.rejects(readPicked(truth, artifact, told), ArtifactError, told);
    }
  });
});
