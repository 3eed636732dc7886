// One sealed artifact with all that it holds, and the proof that stored bytes which are not its own are found out.
import assert from "node:assert/strict";
import {
  ArtifactError,
  type CatalogueEntry,
  type fileNames,
  type OpenedArtifact,
  openArtifact,
  printablePath,
  type SealedArtifact,
  type Storage,
  snapshotDirectory,
  verify,
} from "#artifact/node";
import { type MemoryStorage, memoryStorage } from "../storage/memory.ts";
import { replaceFile } from "./forging.ts";
import {
  collect,
  directory,
  file,
  folder,
  identity,
  ids,
  link,
  noise,
  piecesOf,
  type ReadEntry,
  readEntries,
  sealTree,
} from "./sealing.ts";

export interface Truth {
  readonly result: SealedArtifact;
  /** The four files. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly tar: Buffer;
  readonly entries: readonly ReadEntry[];
  readonly catalogue: readonly CatalogueEntry[];
}

/** Several chunks, several frames, an entry of every kind, and a warning. */
export async function sealTruth(snapshotId = ids.snapshotId): Promise<Truth> {
  const entries = [
    folder("a"),
    file("a/noise", noise(150_000)),
    file("dump", "", { size: null, content: piecesOf([noise(70_000)]) }),
    link("a/link", "noise"),
    link("a/twin", "a/noise", "hardlink"),
    file("text", "over and over again\n".repeat(20_000)),
    file("short", "", { size: 10 }),
  ];
  const { storage, result } = await sealTree(entries, { ids: { ...ids, snapshotId } });
  const place = { storage, directory: snapshotDirectory({ ...ids, snapshotId }) };
  await using artifact = await openArtifact({ ...place, identities: [identity] });
  return {
    result,
    files: new Map([...storage.files].map(([path, bytes]) => [path.slice(place.directory.length + 1), bytes])),
    tar: Buffer.concat(await collect(artifact.tar())),
    entries: await readEntries(artifact),
    catalogue: await collect(artifact.catalogue()),
  };
}

/** The four files with some of them replaced. */
export function storageWith(truth: Truth, changed: Iterable<readonly [name: string, bytes: Buffer]>): MemoryStorage {
  const storage = memoryStorage();
  for (const [name, bytes] of [...truth.files, ...changed]) replaceFile(storage, name, bytes);
  return storage;
}

export function fileOf(truth: Truth, name: (typeof fileNames)[keyof typeof fileNames]): Buffer {
  return truth.files.get(name) ?? assert.fail(`no ${name}`);
}

export function isCorrupt(error: unknown): boolean {
  return error instanceof ArtifactError && error.code === "ARTIFACT_CORRUPT";
}

/** `verify` refuses it without a key and with it; who only reads gets nothing but the truth, and then an error. */
export async function assertFound(truth: Truth, storage: Storage, told: string): Promise<void> {
  await assert.rejects(verify({ storage, directory }), isCorrupt, `without a key: ${told}`);
  await assert.rejects(verify({ storage, directory, identities: [identity] }), isCorrupt, `with the key: ${told}`);
  const failures = [];
  for (const read of [readTar, readContents, readCatalogue, readPicked])
    try {
      await using artifact = await openArtifact({ storage, directory, identities: [identity] });
      await read(truth, artifact, told);
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      failures.push(error);
    }
  assert.ok(failures.length > 0, `whoever reads: ${told}`);
}

async function readTar(truth: Truth, artifact: OpenedArtifact, told: string): Promise<void> {
  let seen = 0;
  for await (const piece of artifact.tar()) {
    assert.ok(truth.tar.subarray(seen, seen + piece.length).equals(piece), `the tar: ${told}`);
    seen += piece.length;
  }
}

async function readContents(truth: Truth, artifact: OpenedArtifact, told: string): Promise<void> {
  const wanted = truth.entries.values();
  for await (const { path, content } of artifact.entries()) {
    const entry = wanted.next().value;
    assert.deepEqual(path, entry?.path, `an entry: ${told}`);
    let seen = 0;
    for await (const piece of content) {
      assert.ok(entry?.content?.subarray(seen, seen + piece.length).equals(piece), `${printablePath(path)}: ${told}`);
      seen += piece.length;
    }
  }
}

async function readCatalogue(truth: Truth, artifact: OpenedArtifact, told: string): Promise<void> {
  const wanted = truth.catalogue.values();
  for await (const entry of artifact.catalogue())
    assert.deepEqual(entry, wanted.next().value, `the catalogue: ${told}`);
}

/** Picks every file by what the stored catalogue says of it: what comes out is the truth, or nothing does. */
export async function readPicked(truth: Truth, artifact: OpenedArtifact, told: string): Promise<void> {
  const contents = new Map(truth.entries.map(({ path, content }) => [printablePath(path), content]));
  for await (const entry of artifact.find(["."])) {
    const path = printablePath(entry.path);
    let seen = 0;
    for await (const piece of artifact.pick(entry)) {
      assert.ok(
        contents
          .get(path)
          ?.subarray(seen, seen + piece.length)
          .equals(piece),
        `${path}, picked: ${told}`,
      );
      seen += piece.length;
    }
  }
}
