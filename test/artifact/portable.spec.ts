// The door that browsers use too: nothing behind it needs Node, and it believes nothing.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { ArtifactError, parseManifest, printablePath, snapshotDirectory } from "#artifact";
import { fileNames } from "#artifact/node";
import { storedBytes } from "./forging.ts";
import { ids, sealTree } from "./sealing.ts";

describe("the portable door", () => {
  it("imports no module of Node, however far one follows", async () => {
    const seen = new Set<string>();
    const follow = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const text = await readFile(path, "utf8");
      for (const [, specifier = ""] of text.matchAll(/^(?:import|export) (?!type )[^;]*?from "([^"]+)";$/gms)) {
        assert.ok(!specifier.startsWith("node:"), `${path} imports ${specifier}`);
        if (specifier.startsWith(".")) await follow(join(dirname(path), specifier));
      }
      assert.doesNotMatch(text, /\bBuffer\b/, path);
    };
    await follow(join(import.meta.dirname, "../../artifact/portable.ts"));
    assert.ok(seen.size >= 5, [...seen].join());
  });
});

describe("parseManifest", () => {
  it("takes text and parsed values alike, and drops what it does not know", async () => {
    const { storage, result } = await sealTree([]);
    const text = storedBytes(storage, fileNames.manifest).toString();
    assert.deepEqual(parseManifest(text), result.manifest);
    assert.deepEqual(parseManifest({ ...JSON.parse(text), later: true }), result.manifest);
  });

  it("refuses everything that is no manifest with ARTIFACT_CORRUPT", async () => {
    const { manifest } = (await sealTree([])).result;
    const broken: unknown[] = [
      "",
      "{",
      "null",
      null,
      [],
      {},
      { ...manifest, format: "zip" },
      { ...manifest, version: "1" },
      { ...manifest, ids: { ...manifest.ids, tenantId: "../t" } },
      { ...manifest, plainBytes: -1 },
      { ...manifest, plainBytes: 1.5 },
      { ...manifest, createdAt: "yesterday" },
      { ...manifest, recipients: [] },
      { ...manifest, artifact: { ...manifest.artifact, sha256: "00" } },
      { ...manifest, artifact: { ...manifest.artifact, name: "../x" } },
      { ...manifest, counts: undefined },
    ];
    for (const value of broken)
      assert.throws(
        () => parseManifest(value),
        (error) => error instanceof ArtifactError && error.code === "ARTIFACT_CORRUPT",
      );
    assert.throws(() => parseManifest({ ...manifest, version: 2 }), { code: "UNSUPPORTED_VERSION" });
  });
});

describe("snapshotDirectory", () => {
  it("is built of ids alone", () => {
    assert.equal(snapshotDirectory(ids), "tenants/t1/sources/s1/snapshots/n1");
    for (const bad of ["", "..", ".", "a/b", "a b", "é", "a\n", "%2e%2e", "x".repeat(65)])
      for (const key of ["tenantId", "sourceId", "snapshotId"])
        assert.throws(() => snapshotDirectory({ ...ids, [key]: bad }), RangeError, `${key} ${bad}`);
  });
});

describe("printablePath", () => {
  it("shows text as it is and other bytes by their numbers", () => {
    assert.equal(printablePath("déjà/vu"), "déjà/vu");
    assert.equal(printablePath(new Uint8Array([0x61, 0xff, 0xf0, 0x9f, 0x8e, 0x89, 0xf0, 0x9f])), "a\\xff🎉\\xf0\\x9f");
  });
});
