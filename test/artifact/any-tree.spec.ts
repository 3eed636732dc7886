// Sealing and opening undo each other, whatever the tree, however it is handed over, and wherever its bytes happen to end.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Entry, verify } from "#artifact/node";
import {
  collect,
  directory,
  file,
  folder,
  identity,
  link,
  noise,
  piecesOf,
  readEntries,
  type Sealed,
  sealTree,
} from "./sealing.ts";

const blockBytes = 512;
const chunkBytes = 65_536;
const frameBytes = 4_194_304;

/** An entry in two forms: how a source may hand it over, and what has to come out. */
interface Case {
  readonly given: () => Entry;
  readonly wanted: Record<string, unknown>;
}

const part = fc
  .uint8Array({ minLength: 1, maxLength: 30 })
  // 0xfe is kept for links, so that no path leads through one.
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f || byte === 0xfe ? 0x5f : byte))))
  .filter((bytes) => !/^\.\.?$/.test(bytes.toString("latin1")));
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => Buffer.from(joined(parts)));
const facts = fc.record({ mode: fc.nat(0o7777), mtimeMs: fc.integer(), uid: fc.nat(), gid: fc.nat() });
const length = fc.oneof(
  fc.nat(3000),
  ...[blockBytes, chunkBytes].map((edge) => fc.integer({ min: edge - 1, max: edge + 1 })),
);
const content = fc
  .tuple(length, fc.boolean())
  .map(([bytes, plain]) => (plain ? Buffer.alloc(bytes, "x") : noise(bytes)));
/** What a source announces: the truth, nothing, or a length that turns out wrong. */
const announced = fc.oneof(fc.constant("exact"), fc.constant("unknown"), fc.integer({ min: -600, max: 600 }));
const pieceBytes = fc.integer({ min: 1, max: 70_000 });

const anyFile = fc.tuple(path, facts, content, announced, pieceBytes).map(([name, more, bytes, told, step]): Case => {
  const size = told === "unknown" ? null : Math.max(0, bytes.length + (told === "exact" ? 0 : told));
  const stored = Buffer.alloc(size ?? bytes.length);
  bytes.copy(stored);
  return {
    given: () => ({ path: name, kind: "file", size, ...more, content: inPieces(bytes, step) }),
    wanted: { path: name.toString("hex"), kind: "file", ...more, content: hash("sha256", stored) },
  };
});
const anyFolder = fc.tuple(path, facts).map(
  ([name, more]): Case => ({
    given: () => ({ path: name, kind: "directory", size: 0, ...more }),
    wanted: { path: name.toString("hex"), kind: "directory", ...more },
  }),
);
const anyLink = fc.tuple(part, path, facts).map(([name, target, more]): Case => {
  const path = Buffer.from(`fe${name.toString("hex")}`, "hex");
  return {
    given: () => ({ path, kind: "symlink", size: 0, ...more, linkTarget: target }),
    wanted: { path: path.toString("hex"), kind: "symlink", ...more, linkTarget: target.toString("hex") },
  };
});
const anyTree = fc.uniqueArray(fc.oneof({ arbitrary: anyFile, weight: 3 }, anyFolder, anyLink), {
  selector: ({ wanted }) => wanted.path,
  maxLength: 12,
});

function joined(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts.flatMap((bytes, index) => (index === 0 ? [bytes] : [Buffer.from("/"), bytes])));
}

async function* inPieces(bytes: Buffer, step: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(Math.min(step, bytes.length));
  // One buffer for all of them, as a source may do.
  for (let at = 0; at < bytes.length; at += step) yield piece.subarray(0, bytes.copy(piece, 0, at, at + step));
}

async function assertWhole(sealed: Sealed, told: string): Promise<void> {
  const { depth } = await verify({ storage: sealed.storage, directory, identities: [identity] });
  assert.equal(depth, "CONTENTS", told);
}

describe("an artifact", () => {
  it("is what was sealed, whatever the tree and however it was handed over", async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (tree) => {
        const sealed = await sealTree(tree.map(({ given }) => given()));
        await using artifact = await sealed.open();
        const read = (await readEntries(artifact)).map(({ path, content, linkTarget, ...rest }) => ({
          path: Buffer.from(path).toString("hex"),
          ...rest,
          ...(content && { content: hash("sha256", content) }),
          ...(linkTarget !== undefined && { linkTarget: Buffer.from(linkTarget).toString("hex") }),
        }));
        assert.deepEqual(
          read,
          tree.map(({ wanted }) => wanted),
        );
        await assertWhole(sealed, "the tree");
      }),
      { numRuns: 60 },
    );
  });

  it("goes on behind a content that ends at a frame's edge, before it or past it", async () => {
    const fitting = frameBytes - blockBytes;
    for (const off of [-1024, -513, -512, -511, -1, 0, 1, 511, 512, 513]) {
      const first = noise(fitting + off);
      // The second one needs an extended header, which the edge may fall into as well.
      const sealed = await sealTree([file("f", first), file("é", "second", { mtimeMs: 1.5e12 + 1 }), folder("d")]);
      await using artifact = await sealed.open();
      const [one, two, three] = await readEntries(artifact);
      assert.ok(one?.content?.equals(first), `${off} bytes from the edge`);
      assert.deepEqual([two?.content?.toString(), three?.path], ["second", "d"], `${off} bytes from the edge`);
      await assertWhole(sealed, `${off} bytes from the edge`);
    }
  });

  it("ends in a header at a frame's edge, before it or past it", async () => {
    // An extended header takes three blocks, an end two: the frame's edge falls in front of, into and behind either.
    for (let blocks = 0; blocks <= 6; blocks++)
      for (const last of [folder("d"), link("é", "f")]) {
        const first = noise(frameBytes - (1 + blocks) * blockBytes);
        const sealed = await sealTree([file("f", first), last]);
        await assertWhole(sealed, `${blocks} blocks, ${last.kind}`);
      }
  });

  it("keeps contents of unknown length whole at every edge of blocks, chunks and frames, behind a frame cut anywhere", async () => {
    for (const edge of [blockBytes, chunkBytes, frameBytes])
      for (const off of [-1, 0, 1])
        for (const before of [0, frameBytes - blockBytes]) {
          const dump = noise(edge + off);
          const entries = [
            ...(before > 0 ? [file("before", noise(before))] : []),
            file("dump", "", { size: null, content: inPieces(dump, 65_000) }),
            file("after", "after"),
          ];
          const sealed = await sealTree(entries);
          await using artifact = await sealed.open();
          const read = (await readEntries(artifact)).slice(-2);
          assert.ok(read[0]?.content?.equals(dump), `${dump.length} bytes behind ${before}`);
          assert.equal(read[1]?.content?.toString(), "after", `${dump.length} bytes behind ${before}`);
          await assertWhole(sealed, `${dump.length} bytes behind ${before}`);
        }
  });

  it("ends at every edge of the encryption's chunks", async () => {
    for (const chunks of [1, 2])
      for (const off of [-1, 0, 1]) {
        const target = chunks * chunkBytes + off;
        const { sealed, content: bytes } = await sealToPayload(target);
        await using artifact = await sealed.open();
        const [entry] = await readEntries(artifact);
        assert.ok(entry?.content?.equals(bytes), `${target} bytes of payload`);
        assert.equal((await collect(artifact.catalogue())).length, 1);
        await assertWhole(sealed, `${target} bytes of payload`);
      }
  });
});

/** An artifact whose payload is exactly so long: a dump has frames for itself, and noise takes its own length in them. */
async function sealToPayload(target: number): Promise<{ sealed: Sealed; content: Buffer }> {
  let length = target - 1000;
  for (let turn = 0; turn < 100; turn++) {
    const content = noise(length);
    const dump = file("f", "", { size: null, mode: turn, content: piecesOf([content]) });
    const sealed = await sealTree([dump]);
    const { headerBytes, storedBytes } = sealed.result.manifest.artifact;
    const body = storedBytes - headerBytes - 16;
    const payload = body - 16 * Math.ceil(body / (chunkBytes + 16));
    if (payload === target) return { sealed, content };
    length += target - payload;
  }
  return assert.fail(`no content was found that makes a payload of ${target} bytes`);
}
