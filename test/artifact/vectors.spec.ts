// Artifacts that were sealed once, with the key in sealing.ts, and are opened for ever: no later reader may lose them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type EntryPath, snapshotDirectory } from "#artifact/node";
import { memoryStorage } from "../storage/memory.ts";
import { doors } from "./doors.ts";
import { collect, identity, ids } from "./sealing.ts";

const vectors = join(import.meta.dirname, "vectors");

for (const { name: door, openArtifact, verify } of doors)
  describe(`an artifact sealed with version 1 of the format, through ${door}`, async () => {
    for (const name of await readdir(vectors))
      it(`is still what it was: ${name}`, async () => {
        const { storage, expected } = await loadVector(name);
        const place = { storage, directory: snapshotDirectory({ ...ids, snapshotId: name }), identities: [identity] };
        assert.equal((await verify(place)).depth, "CONTENTS");
        await using artifact = await openArtifact(place);
        const entries: object[] = [];
        for await (const { path, kind, size, mode, mtimeMs, uid, gid, linkTarget, content } of artifact.entries()) {
          const hash = createHash("sha256");
          for await (const bytes of content) hash.update(bytes);
          entries.push({
            ...nameOf(path),
            kind,
            size,
            mode,
            mtimeMs,
            uid,
            gid,
            ...(kind === "file" ? { sha256: hash.digest("hex") } : {}),
            ...(linkTarget === undefined ? {} : { linkTarget }),
          });
        }
        assert.deepEqual({ entries, warnings: await collect(artifact.warnings()) }, expected);
      });
  });

/** The stored files have `.bin` behind their names, so that nobody reformats the documents among them. */
async function loadVector(name: string) {
  const storage = memoryStorage();
  for (const file of await readdir(join(vectors, name)))
    if (file.endsWith(".bin"))
      storage.files.set(
        `${snapshotDirectory({ ...ids, snapshotId: name })}/${file.slice(0, -".bin".length)}`,
        await readFile(join(vectors, name, file)),
      );
  return { storage, expected: JSON.parse(await readFile(join(vectors, name, "expected.json"), "utf8")) };
}

function nameOf(path: EntryPath): object {
  return typeof path === "string" ? { path } : { pathHex: Buffer.from(path).toString("hex") };
}
