// What comes out of a restore, byte for byte, and what does not come out: of really sealed snapshots.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { generateX25519Identity } from "age-encryption";
import { pino } from "pino";
import { carryJob } from "../../clients/hub/carry-job.ts";
import { KeepAlive } from "../../clients/hub/keep-alive/keep-alive.ts";
import { failureOf } from "../../restore/failure.ts";
import { prepareDownload } from "../../restore/prepare.ts";
import { assertTree, file as content, directory as dir, link, tree } from "../stage/tree.ts";
import { directory, file, hardlink, symlink } from "./entries.ts";
import { mark, restoreJob, type Snapshot, sealSnapshot, type Wish } from "./sealed-store.ts";
import { type StagedWorkshop, stageWorkshop } from "./staged-workshop.ts";

const big = randomBytes(3_000_000);

const site = () => [
  directory("site"),
  file("site/index.html", "<h1>hello</h1>"),
  file("site/empty", ""),
  file("site/script.sh", "#!/bin/sh\n", 0o755),
  file("site/größe 文件 🎉.txt", "words"),
  file("site/new\nline", "newline"),
  directory("site/nothing"),
  symlink("site/current", "../site/index.html"),
  symlink("site/dangling", "/nowhere/at all"),
  file("site/media/video.bin", big),
  file("site-other/file", "not beneath site"),
];

const siteTree = {
  "site/index.html": "<h1>hello</h1>",
  "site/empty": "",
  "site/script.sh": content("#!/bin/sh\n", 0o755),
  "site/größe 文件 🎉.txt": "words",
  "site/new\nline": "newline",
  "site/nothing/": dir,
  "site/current": link("../site/index.html"),
  "site/dangling": link("/nowhere/at all"),
  "site/media/video.bin": big,
};

/** The refusal, once it is sure that nothing was published. */
async function refused(
  staged: StagedWorkshop,
  snapshot: Snapshot,
  wish: Wish & { identity?: string },
): Promise<string | null> {
  const refusal = await staged.restore(snapshot, wish);
  assert.deepEqual(await readdir(staged.restores), []);
  assert.deepEqual(staged.downloads.all(), []);
  assert.deepEqual(staged.hub.inputs("completeRestore"), []);
  return refusal;
}

describe("a restore", () => {
  for (const form of ["ZIP", "TAR"] as const) {
    it(`as ${form} gives back everything as it was`, async (t) => {
      const staged = await stageWorkshop(t);
      assert.equal(await staged.restore(await sealSnapshot(staged.store, site()), { form }), null);
      await assertTree(await staged.unpacked(), tree({ ...siteTree, "site-other/file": "not beneath site" }));
      const { filesDone, filesTotal, bytesDone, bytesTotal } = staged.progress.at(-1) ?? {};
      assert.deepEqual([filesDone, bytesDone], [filesTotal, bytesTotal]);
    });

    it(`as ${form} gives a selected path, all beneath it, and nothing beside it`, async (t) => {
      const staged = await stageWorkshop(t);
      const snapshot = await sealSnapshot(staged.store, site());
      assert.equal(await staged.restore(snapshot, { form, selection: ["/site/"] }), null);
      await assertTree(await staged.unpacked(), tree(siteTree));
      assert.equal(await staged.restore(snapshot, { form, selection: ["site/script.sh", "./site/media"] }), null);
      const { "site/script.sh": script, "site/media/video.bin": video } = siteTree;
      await assertTree(await staged.unpacked(), tree({ "site/script.sh": script, "site/media/video.bin": video }));
    });

    it(`as ${form} takes along the file that a selected hard link is another name of`, async (t) => {
      const staged = await stageWorkshop(t);
      const entries = [file("a/first", "same"), file("a/other", "other"), hardlink("b/second", "a/first")];
      const snapshot = await sealSnapshot(staged.store, entries);
      assert.equal(await staged.restore(snapshot, { form, selection: ["b"] }), null);
      const target = await staged.unpacked();
      assert.deepEqual(await readdir(join(target, "a")), ["first"]);
      assert.equal(await readFile(join(target, "b/second"), "utf8"), "same");
    });

    it(`as ${form} is refused where a selected path is not there`, async (t) => {
      const staged = await stageWorkshop(t);
      const snapshot = await sealSnapshot(staged.store, site());
      const refusal = await refused(staged, snapshot, { form, selection: ["site", "typo/in this"] });
      assert.equal(refusal, 'PATH_NOT_FOUND: The snapshot holds nothing at "typo/in this".');
    });

    it(`as ${form} is refused where it would be larger than downloads may be`, async (t) => {
      const staged = await stageWorkshop(t);
      const snapshot = await sealSnapshot(staged.store, site());
      const refusal = await refused(staged, snapshot, { form, maxDownloadBytes: 2 * 1_048_576 });
      assert.equal(refusal, "QUOTA_EXCEEDED: A download may have 2 MiB at most here: select fewer paths.");
    });

    it(`as ${form} publishes nothing of a damaged snapshot`, async (t) => {
      const staged = await stageWorkshop(t);
      for (const name of ["backup.tar.zst.enc", "manifest.json"]) {
        const snapshot = await sealSnapshot(staged.store, site());
        await flipOneBit(join(snapshot.directory, name));
        assert.match((await refused(staged, snapshot, { form })) ?? "", /^ARTIFACT_CORRUPT: /, name);
      }
    });
  }

  it("leaves its plaintext to nobody else", async (t) => {
    const staged = await stageWorkshop(t);
    assert.equal(await staged.restore(await sealSnapshot(staged.store, site())), null);
    const [place = ""] = await readdir(staged.restores);
    for (const [path, mode] of [
      [staged.restores, 0o700],
      [join(staged.restores, place), 0o700],
      [join(staged.restores, place, "download"), 0o600],
      [join(staged.restores, place, "restore.json"), 0o600],
    ] as const)
      assert.equal((await stat(path)).mode & 0o777, mode, path);
  });

  it("is noted by the hub phase by phase, and with the size of the download", async (t) => {
    const staged = await stageWorkshop(t);
    assert.equal(await staged.restore(await sealSnapshot(staged.store, site())), null);
    const [prepared] = staged.downloads.all();
    assert.deepEqual(
      staged.hub.calls.map(({ operation, input }) => [operation, input.phase ?? input.sizeBytes]),
      [
        ["enterPhase", "PREPARING"],
        ["claimSecrets", undefined],
        ["enterPhase", "FINALIZING"],
        ["completeRestore", (await stat(prepared?.path ?? "")).size],
      ],
    );
  });

  it("is given back when the service goes down in the middle of it", async (t) => {
    const staged = await stageWorkshop(t);
    const snapshot = await sealSnapshot(staged.store, site());
    staged.hub.answers.claimSecrets = () => new Promise(() => {});
    const { job } = restoreJob(snapshot);
    const log = pino({ level: "silent" });
    await using keepAlive = new KeepAlive({ baseUrl: staged.hub.url, token: "t" }, log);
    await carryJob(job, (carried, signal) => prepareDownload(staged.workshop, carried, signal), {
      ...{ hub: staged.workshop.hub, keepAlive, heartbeatSeconds: 15, log, failureOf },
      stopping: AbortSignal.timeout(300),
    });
    assert.deepEqual(staged.hub.inputs("releaseJob"), [{ jobId: job.jobId, leaseEpoch: 1 }]);
    assert.deepEqual(staged.hub.inputs("failJob"), []);
  });

  it("is refused with the name of the key where that does not open the snapshot", async (t) => {
    const staged = await stageWorkshop(t);
    const snapshot = await sealSnapshot(staged.store, site());
    const refusal = await refused(staged, snapshot, { identity: await generateX25519Identity() });
    assert.match(refusal ?? "", /^KEY_UNAVAILABLE: This snapshot does not open .* \(sha256:[0-9a-f]{64}\)\.$/);
  });

  it("is refused where the store of the snapshot is not attached", async (t) => {
    const staged = await stageWorkshop(t);
    const snapshot = await sealSnapshot(staged.store, site());
    await mark(staged.store, "wrk_other");
    assert.match((await refused(staged, snapshot, {})) ?? "", /^STORAGE_UNAVAILABLE: /);
  });
});

/** In the middle of the file. */
async function flipOneBit(path: string): Promise<void> {
  await using opened = await open(path, "r+");
  const position = Math.floor((await opened.stat()).size / 2);
  const byte = Buffer.alloc(1);
  await opened.read(byte, 0, 1, position);
  await opened.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
}
