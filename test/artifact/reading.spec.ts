// How an opened artifact is read: its catalogue, parts of it, and by whose key.
import assert from "node:assert/strict";
import { createHash, hash } from "node:crypto";
import { describe, it } from "node:test";
import { generateHybridIdentity, identityToRecipient } from "age-encryption";
import type { Entry, OpenedEntry } from "#artifact/node";
import { doors, openThrough } from "./doors.ts";
import {
  collect,
  file,
  folder,
  identity,
  link,
  noise,
  piecesOf,
  readEntries,
  recipient,
  sealTree,
  strangerIdentity,
} from "./sealing.ts";

const invalidUtf8 = new Uint8Array([0x66, 0xff, 0xfe]);

for (const door of doors)
  describe(`an opened artifact, through ${door.name}`, () => {
    it("has a catalogue that describes every entry and says where it lies in the tar", async () => {
      const sealed = await sealTree([
        folder("a"),
        file("a/é", "hello", { mtimeMs: 5 }),
        link("a/l", "é"),
        file(invalidUtf8, ""),
      ]);
      await using artifact = await openThrough(door, sealed);
      const tar = Buffer.concat(await collect(artifact.tar()));
      const catalogue = await collect(artifact.catalogue());
      assert.deepEqual(
        catalogue.map(({ path, kind, size, linkTarget }) => ({ path, kind, size, linkTarget })),
        [
          { path: "a", kind: "directory", size: 0, linkTarget: undefined },
          { path: "a/é", kind: "file", size: 5, linkTarget: undefined },
          { path: "a/l", kind: "symlink", size: 0, linkTarget: "é" },
          { path: invalidUtf8, kind: "file", size: 0, linkTarget: undefined },
        ],
      );
      const [, entry] = catalogue;
      assert.equal(entry?.sha256, hash("sha256", "hello"));
      assert.equal(tar.toString("latin1", entry.contentOffset, entry.contentOffset + 5), "hello");
      assert.equal(tar.toString("latin1", entry.offset, entry.offset + 9), "PaxHeader");
    });

    it("may be read again, in part, and given up at any point", async () => {
      const sealed = await sealTree([file("a", noise(5_000_000)), file("b", "last")]);
      await using artifact = await openThrough(door, sealed);
      for await (const _ of artifact.tar()) break;
      for await (const entry of artifact.entries()) {
        for await (const _ of entry.content) break;
        break;
      }
      const skipped = await collect(artifact.entries());
      assert.deepEqual(
        skipped.map(({ path }) => path),
        ["a", "b"],
      );
      assert.equal((await readEntries(artifact))[1]?.content?.toString(), "last");
    });

    it("gives the same bytes to whoever is done with them at once, wherever frames end", async () => {
      const odd = file("dump", "", { size: null, content: piecesOf([noise(70_001)]) });
      // Four blocks each, and none on a border of blocks in its frame: a frame ends inside of a header.
      const headers = Array.from({ length: 2500 }, (_, index) => file(`${"n".repeat(200)}/${index}`, ""));
      const tree = [odd, file("a", noise(9_000_000)), ...headers, file("b", noise(4_100_000)), folder("end")];
      await using artifact = await openThrough(door, await sealTree(tree));
      const digests = async (entries: AsyncIterable<OpenedEntry>) => {
        const seen: string[] = [];
        for await (const { content } of entries) {
          const running = createHash("sha256");
          for await (const bytes of content) running.update(bytes);
          seen.push(running.digest("hex"));
        }
        return seen;
      };
      const kept = await digests(artifact.entries());
      assert.equal(kept.length, tree.length);
      assert.deepEqual(await digests(artifact.entries({ transient: true })), kept);
      assert.deepEqual(await digests(artifact.pickAll(artifact.catalogue(), { transient: true })), kept);
    });

    it("refuses to hand out a content after the next entry was asked for", async () => {
      await using artifact = await openThrough(door, await sealTree([file("a", "first"), file("b", "second")]));
      const entries = artifact.entries()[Symbol.asyncIterator]();
      const first = (await entries.next()).value as Entry;
      await entries.next();
      await assert.rejects(async () => collect(first.content ?? piecesOf([])), TypeError);
      await entries.return?.();
    });

    it("is opened by the key of every recipient, X25519 and post-quantum alike", async () => {
      const hybrid = await generateHybridIdentity();
      const recipients = [
        recipient,
        await identityToRecipient(hybrid),
        await identityToRecipient(strangerIdentity),
        recipient,
      ];
      const sealed = await sealTree([file("a", "hello")], { recipients });
      assert.deepEqual(
        sealed.result.manifest.recipients.map(({ algorithm }) => algorithm),
        ["X25519", "mlkem768x25519", "X25519"],
      );
      for (const one of [identity, hybrid, strangerIdentity]) {
        await using artifact = await openThrough(door, sealed, { identities: [one] });
        assert.equal((await readEntries(artifact))[0]?.content?.toString(), "hello");
        assert.equal((await collect(artifact.catalogue())).length, 1);
      }
    });
  });
