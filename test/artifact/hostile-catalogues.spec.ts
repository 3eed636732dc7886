// Catalogues that somebody who holds a recipient made up: refused by name, in bounded memory.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ArtifactError, type Manifest, type OpenedArtifact, verify } from "#artifact/node";
import { frameOf, type HandFrame, replaceSealed } from "./hand-sealing.ts";
import { isRefusal, memoryInUse } from "./refusing.ts";
import { collect, directory, file, identity, ids, type Sealed, sealTree } from "./sealing.ts";

type Code = ArtifactError["code"];
type Line = Record<string, unknown>;

describe("a catalogue in a forged artifact", () => {
  const header: Line = { catalogue: 1, ids };
  const entry: Line = {
    path: "a",
    kind: "file",
    size: 5,
    mode: 0o644,
    mtimeMs: 1_700_000_000_000,
    sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    offset: 0,
    contentOffset: 512,
  };
  const end = (entries = 1, warnings = 0): Line => ({ end: { entries, warnings } });
  const textOf = (lines: Iterable<Line>) => Buffer.from([...lines].map((line) => `${JSON.stringify(line)}\n`).join(""));

  const forge = async (frames: readonly HandFrame[], claims: Partial<Manifest> = {}): Promise<Sealed> => {
    const sealed = await sealTree([file("a", "hello")]);
    await replaceSealed(sealed.storage, { part: "catalogue", frames, claims });
    return sealed;
  };
  const list = async (sealed: Sealed, read: (artifact: OpenedArtifact) => AsyncIterable<unknown>) => {
    await using artifact = await sealed.open();
    let listed = 0;
    for await (const _ of read(artifact)) listed += 1;
    return listed;
  };
  const assertRefused = async (sealed: Sealed, code: Code, told: string) => {
    await assert.rejects(
      list(sealed, (artifact) => artifact.catalogue()),
      isRefusal(code),
      told,
    );
    await assert.rejects(
      list(sealed, (artifact) => artifact.warnings()),
      isRefusal(code),
      told,
    );
    await assert.rejects(
      list(sealed, (artifact) => artifact.find(["a"])),
      isRefusal(code),
      told,
    );
    const { storage } = sealed;
    await assert.rejects(verify({ storage, directory, identities: [identity] }), ArtifactError, told);
  };

  it("is read where nothing is wrong with it", async () => {
    const sealed = await forge([frameOf(textOf([header, entry, end()]))]);
    assert.equal(await list(sealed, (artifact) => artifact.catalogue()), 1);
  });

  it("is refused where an entry's numbers are none, negative, fractions or past all counting", async () => {
    for (const field of ["offset", "contentOffset", "size", "mode", "mtimeMs"])
      for (const value of [-1, 0.5, 2 ** 53, 1e300, "0", null, [], undefined]) {
        if (field === "mtimeMs" && value === -1) continue;
        const text = textOf([header, { ...entry, [field]: value }, end()]);
        await assertRefused(await forge([frameOf(text)]), "ARTIFACT_CORRUPT", `${field}: ${JSON.stringify(value)}`);
      }
  });

  it("is refused where its counts lie, or the manifest's do", async () => {
    const counts = (files: number) => ({ counts: { files, directories: 0, symlinks: 0, hardlinks: 0 } });
    const cases: readonly [told: string, lines: Line[], claims: Partial<Manifest>, code: Code][] = [
      ["an end that counts more", [header, entry, end(2)], {}, "ARTIFACT_CORRUPT"],
      ["an end that counts less", [header, entry, end(0)], {}, "ARTIFACT_CORRUPT"],
      ["an end that counts below nothing", [header, entry, end(-1)], {}, "ARTIFACT_CORRUPT"],
      ["an end that counts warnings", [header, entry, end(1, 1)], {}, "ARTIFACT_CORRUPT"],
      ["more entries than the manifest says", [header, entry, entry, end(2)], {}, "LIMIT_EXCEEDED"],
      ["fewer entries than the manifest says", [header, end(0)], {}, "ARTIFACT_CORRUPT"],
      ["more entries, in the manifest too", [header, entry, end()], counts(2), "ARTIFACT_CORRUPT"],
      [
        "another snapshot's ids",
        [{ catalogue: 1, ids: { ...ids, snapshotId: "n2" } }, entry, end()],
        {},
        "ARTIFACT_CORRUPT",
      ],
      ["a later version", [{ catalogue: 2, ids }, entry, end()], {}, "ARTIFACT_CORRUPT"],
    ];
    for (const [told, lines, claims, code] of cases)
      await assertRefused(await forge([frameOf(textOf(lines))], claims), code, told);
  });

  it("is refused where its entries overlap, or lie anywhere but side by side", async () => {
    const edits: Line[] = [{ offset: 512 }, { contentOffset: 0 }, { offset: 512, contentOffset: 512 }];
    edits.push({ offset: 2 ** 52, contentOffset: 2 ** 52 + 512 }, { size: 1_000_000 });
    for (const edit of edits) {
      const text = textOf([header, { ...entry, ...edit }, end()]);
      await assertRefused(await forge([frameOf(text)]), "ARTIFACT_CORRUPT", JSON.stringify(edit));
    }
  });

  it("is refused where a line is no line", async () => {
    const texts: readonly [told: string, text: string | Buffer][] = [
      ["nested past all sense", "[".repeat(500_000)],
      ["an object nested past all sense", '{"a":'.repeat(90_000)],
      ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
      ["a number", "1"],
      ["nothing", "null"],
      ["an empty line", ""],
      ["two objects", "{}{}"],
      ["a prototype", '{"__proto__":{"path":"a"},"kind":"file"}'],
      ["another end of the line", "{}\r"],
    ];
    for (const [told, text] of texts) {
      const bytes = Buffer.concat([textOf([header]), Buffer.from(text), Buffer.from("\n"), textOf([end()])]);
      await assertRefused(await forge([frameOf(bytes)]), "ARTIFACT_CORRUPT", told);
    }
  });

  it("costs no more than its longest line, however long it goes on without one", async () => {
    const mebibyte = Buffer.alloc(1_048_576, "a");
    const frames = Array<HandFrame>(2048).fill(frameOf(mebibyte));
    const sealed = await forge(frames);
    const before = memoryInUse();
    await assertRefused(sealed, "ARTIFACT_CORRUPT", "2 GiB in one line");
    assert.ok(memoryInUse() - before < 50_000_000);
  });

  it("of a million entries is searched and listed in bounded memory, and refused where it has one more than it may", async () => {
    const total = 1_000_000;
    const perFrame = 5000;
    const facts = JSON.stringify({ ...entry, offset: undefined, contentOffset: undefined }).slice(0, -1);
    const line = (at: number) => `${facts},"offset":${at * 1024},"contentOffset":${at * 1024 + 512}}\n`;
    const frames = [frameOf(textOf([header]))];
    for (let at = 0; at <= total; at += perFrame) {
      const count = Math.min(perFrame, total + 1 - at);
      frames.push(frameOf(Buffer.from(Array.from({ length: count }, (_, index) => line(at + index)).join(""))));
    }
    frames.push(frameOf(textOf([end(total + 1)])));
    const counts = { files: total, directories: 0, symlinks: 0, hardlinks: 0 };
    const sealed = await forge(frames, { counts });
    const before = memoryInUse();
    await using artifact = await sealed.open();
    let most = 0;
    const watching = setInterval(() => {
      most = Math.max(most, memoryInUse());
    }, 200);
    await assert
      .rejects(collect(artifact.find(["nobody"])), isRefusal("LIMIT_EXCEEDED"))
      .finally(() => clearInterval(watching));
    assert.ok(most > 0, "the search was over before anybody looked");
    let listed = 0;
    for await (const _ of artifact.catalogue()) {
      listed += 1;
      if (listed === 100_000) break;
    }
    most = Math.max(most, memoryInUse());
    assert.ok(most - before < 32_000_000, `${most - before} bytes more`);
  });
});
