// Other keys for an artifact: the bytes behind its headers stay, and what opens them changes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from "age-encryption";
import { fileNames, localStorage, readManifest, rekey, seal, verify } from "#artifact/node";
import { openWithStockTools } from "../stage/artifact-commands.ts";
import { available } from "../stage/available.ts";
import { assertTree, tree } from "../stage/tree.ts";
import type { MemoryStorage } from "../storage/memory.ts";
import { isRefusal } from "./refusing.ts";
import { entries, optionsFor, strangerRecipient } from "./rekeying.ts";
import {
  directory,
  file,
  identity,
  noise,
  readEntries,
  recipient,
  type Sealed,
  sealOptions,
  sealTree,
  strangerIdentity,
} from "./sealing.ts";

function bodyOf({ files }: MemoryStorage, { name, headerBytes }: { name: string; headerBytes: number }): Buffer {
  return (files.get(`${directory}/${name}`) ?? Buffer.alloc(0)).subarray(headerBytes);
}

async function contentsWith(sealed: Sealed, key: string) {
  await using artifact = await sealed.open({ identities: [key] });
  return readEntries(artifact);
}

describe("an artifact with another key", () => {
  it("opens with the old and the new one, and its bytes behind the headers are the same", async () => {
    const sealed = await sealTree(entries());
    const before = await contentsWith(sealed, identity);
    const old = sealed.result.manifest;
    const bodies = [bodyOf(sealed.storage, old.artifact), bodyOf(sealed.storage, old.catalogue)];
    const { manifest, manifestSha256 } = await rekey(optionsFor(sealed.storage));
    assert.deepEqual(await contentsWith(sealed, identity), before);
    assert.deepEqual(await contentsWith(sealed, strangerIdentity), before);
    assert.deepEqual([bodyOf(sealed.storage, manifest.artifact), bodyOf(sealed.storage, manifest.catalogue)], bodies);
    assert.deepEqual(await readManifest({ storage: sealed.storage, directory }), { manifest, manifestSha256 });
    assert.equal(manifest.recipients.length, 2);
    assert.deepEqual(manifest.recipients[0], old.recipients[0]);
    const { artifact: _, catalogue: __, recipients: ___, ...facts } = manifest;
    const { artifact: _a, catalogue: _c, recipients: _r, ...oldFacts } = old;
    assert.deepEqual(facts, oldFacts);
    assert.deepEqual([sealed.storage.files.size, sealed.storage.drafts.size], [4, 0]);
  });

  it("in place of the old one refuses that, and names the new one alone", async () => {
    const sealed = await sealTree(entries());
    const before = await contentsWith(sealed, identity);
    const { manifest } = await rekey(optionsFor(sealed.storage, { keep: false }));
    await assert.rejects(sealed.open(), isRefusal("KEY_UNAVAILABLE"));
    assert.deepEqual(await contentsWith(sealed, strangerIdentity), before);
    const [only, ...others] = manifest.recipients;
    assert.deepEqual(others, []);
    assert.notEqual(only?.fingerprint, sealed.result.manifest.recipients[0]?.fingerprint);
  });

  it("is whole by its bytes and by its contents", async () => {
    const sealed = await sealTree(entries());
    const { manifestSha256 } = await rekey(optionsFor(sealed.storage));
    const place = { storage: sealed.storage, directory, manifestSha256 };
    assert.equal((await verify(place)).depth, "BYTES");
    assert.equal((await verify({ ...place, identities: [strangerIdentity] })).depth, "CONTENTS");
    await assert.rejects(
      verify({ ...place, manifestSha256: sealed.result.manifestSha256 }),
      isRefusal("ARTIFACT_CORRUPT"),
      "the old manifest's hash",
    );
  });

  it("can be one that a quantum computer does not break, alone or beside the old one", async () => {
    const hybrid = await generateHybridIdentity();
    const recipients = [await identityToRecipient(hybrid)];
    for (const keep of [false, true]) {
      const sealed = await sealTree(entries());
      const before = await contentsWith(sealed, identity);
      const { manifest } = await rekey(optionsFor(sealed.storage, { recipients, keep }));
      const algorithms = manifest.recipients.map(({ algorithm }) => algorithm);
      assert.deepEqual(algorithms, keep ? ["X25519", "mlkem768x25519"] : ["mlkem768x25519"]);
      assert.deepEqual(await contentsWith(sealed, hybrid), before);
      if (keep) assert.deepEqual(await contentsWith(sealed, identity), before);
      else await assert.rejects(sealed.open(), isRefusal("KEY_UNAVAILABLE"));
      // And back again, by the new key.
      await rekey(optionsFor(sealed.storage, { identities: [hybrid], recipients: [recipient], keep: false }));
      assert.deepEqual(await contentsWith(sealed, identity), before);
    }
  });

  it("is listed once, however often it is added", async () => {
    const sealed = await sealTree(entries());
    await rekey(optionsFor(sealed.storage));
    const { manifest } = await rekey(optionsFor(sealed.storage, { recipients: [strangerRecipient, recipient] }));
    assert.equal(manifest.recipients.length, 2);
    await contentsWith(sealed, identity);
  });

  it("opens with age, zstd and tar", { skip: available("age") ?? available("zstd") ?? false }, async (t) => {
    const base = await mkdtemp(join(tmpdir(), "xvault-rekey-"));
    t.after(() => rm(base, { recursive: true, force: true }));
    const storage = localStorage(join(base, "store"));
    const big = noise(3_000_000);
    await seal({ ...sealOptions([file("a", "hello"), file("big", big)]), storage });
    await rekey(optionsFor(storage, { keep: false }));
    await rekey(
      optionsFor(storage, {
        identities: [strangerIdentity],
        recipients: [await identityToRecipient(await generateX25519Identity())],
      }),
    );
    await mkdir(join(base, "out"));
    await openWithStockTools(join(base, "store", directory), strangerIdentity, join(base, "out"));
    await assertTree(join(base, "out"), tree({ a: "hello", big }));
    // The catalogue has a header of its own.
    await writeFile(join(base, "key"), strangerIdentity);
    const sealedCatalogue = join(base, "store", directory, fileNames.catalogue);
    const catalogue = execFileSync("bash", [
      "-c",
      'set -o pipefail; age -d -i "$1" "$2" | zstd -d',
      "bash",
      join(base, "key"),
      sealedCatalogue,
    ]);
    assert.match(catalogue.toString(), /"path":"big"/);
  });
});
