// The door that browsers use too: nothing behind it needs Node, and it believes nothing.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import {
  ArtifactError,
  blobReader,
  looseArtifact,
  openArtifact,
  parseManifest,
  printablePath,
  StorageError,
  snapshotDirectory,
  verify,
} from "#artifact";
import { fileNames } from "#artifact/node";
import { forgeArtifactBytes, storedBytes } from "./forging.ts";
import { collect, directory, file, identity, ids, noise, type Sealed, sealTree } from "./sealing.ts";

const packages = /^(?:age-encryption|zod|zstddec|@noble\/(?:ciphers|hashes)\/[a-z0-9]+\.js)$/;

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
        else assert.match(specifier, packages, path);
      }
      assert.doesNotMatch(text, /\bBuffer\b/, path);
    };
    await follow(join(import.meta.dirname, "../../artifact/portable.ts"));
    assert.ok(seen.size >= 25, [...seen].join());
  });

  it("gives bytes out as Web Streams, which may be cancelled", async () => {
    const sealed = await sealTree([file("a", noise(9_000_000)), file("b", "last")]);
    await using artifact = await openArtifact({ storage: sealed.storage, directory, identities: [identity] });
    const [a] = await collect(artifact.find(["a"]));
    assert.ok(a);
    assert.equal(await new Response(artifact.tar()).bytes().then(({ length }) => length % 512), 0);
    assert.ok(noise(9_000_000).equals(await new Response(artifact.pick(a)).bytes()));
    for (const stream of [artifact.tar(), artifact.pick(a)]) {
      const reader = stream.getReader();
      assert.ok(((await reader.read()).value?.length ?? 0) > 0);
      await reader.cancel();
      assert.ok((await reader.read()).done);
    }
    const contents: string[] = [];
    for await (const { path, content } of artifact.entries()) {
      if (path === "a") await content.cancel();
      else contents.push(await new Response(content).text());
    }
    for await (const { content } of artifact.pickAll(artifact.find(["b"])))
      contents.push(await new Response(content).text());
    assert.deepEqual(contents, ["last", "last"]);
  });

  it("errors a stream at the damage, and never closes it", async () => {
    const sealed = await sealTree([file("a", noise(9_000_000))]);
    const bytes = Buffer.from(storedBytes(sealed.storage, fileNames.artifact));
    bytes[6_000_000] = (bytes[6_000_000] ?? 0) ^ 1;
    forgeArtifactBytes(sealed.storage, bytes);
    await using artifact = await openArtifact({ storage: sealed.storage, directory, identities: [identity] });
    await assert.rejects(new Response(artifact.tar()).bytes(), { code: "ARTIFACT_CORRUPT" });
  });
});

describe("an artifact outside its storage", () => {
  const blobs = ({ storage }: Sealed, missing?: string) =>
    looseArtifact(async (name) => {
      if (name === missing) throw new StorageError("NOT_STORED", "no such file");
      return blobReader(new Blob([new Uint8Array(storedBytes(storage, name))]));
    });

  it("is verified and opened, wherever its four files are", async () => {
    const sealed = await sealTree([file("a", noise(300_000))]);
    const place = await blobs(sealed);
    assert.equal(place.directory, directory);
    assert.equal((await verify({ ...place, identities: [identity] })).depth, "CONTENTS");
    await using artifact = await openArtifact({ ...place, identities: [identity] });
    assert.equal((await collect(artifact.catalogue())).length, 1);
  });

  it("is damaged where one of them is missing, and not there where all are", async () => {
    const sealed = await sealTree([]);
    for (const name of Object.values(fileNames))
      await assert.rejects(async () => verify(await blobs(sealed, name)), { code: "ARTIFACT_CORRUPT" }, name);
    const nowhere = looseArtifact(async () => {
      throw new StorageError("NOT_STORED", "no such file");
    });
    await assert.rejects(nowhere, { code: "NOT_STORED" });
  });

  it("has a meta.json that tells whose it is", async () => {
    for (const text of ["", "{", "{}", '{"ids":{"tenantId":"../x","sourceId":"s","snapshotId":"n"}}'])
      await assert.rejects(
        looseArtifact(async () => blobReader(new Blob([text]))),
        { code: "ARTIFACT_CORRUPT" },
      );
  });
});

describe("a reader of a Blob", () => {
  it("gives exactly the range, and nothing behind the end", async () => {
    const reader = blobReader(new Blob(["0123456789"]));
    assert.equal(reader.size, 10);
    assert.deepEqual(Buffer.from(await reader.read(3, 4)).toString(), "3456");
    assert.equal((await reader.read(10, 0)).length, 0);
    await assert.rejects(reader.read(5, 6), { code: "NOT_STORED" });
    await assert.rejects(reader.read(0, 1, AbortSignal.abort(new Error("enough"))), /enough/);
    await reader.close();
  });

  it("tells a file that went away as a storage that fails", async () => {
    const lost = new Blob(["0123456789"]);
    lost.slice = () => {
      const part = new Blob();
      part.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"));
      return part;
    };
    await assert.rejects(blobReader(lost).read(0, 5), { code: "STORAGE_UNAVAILABLE" });
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
