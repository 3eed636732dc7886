// F25 and F26, bytes that are not what was written: nothing of them is served, they are found, and the source is backed up again. That
// every flipped bit and every edit is found is promised in test/artifact/{damage,edits}.spec.ts; here it has its consequences.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { damageOf, localStorage, openArtifact, type Storage, snapshotDirectory, verify } from "#artifact/node";
import { connectApi } from "../../clients/api/connect.ts";
import { runDueChecks } from "../../domain/checks.ts";
import { file } from "../restore/entries.ts";
import { sealSnapshot } from "../restore/sealed-store.ts";
import { type StagedProcess, stageRestore } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";
import { damages, filesBelow, flipBit, type KeptSite, stageKeptSite, whileDamaged } from "./kit/kept-site.ts";

const artifact = "backup.tar.zst.enc";

describe("a damaged snapshot", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: KeptSite;
  let restoreService: StagedProcess;
  let snapshotId: string;
  let directory: string;
  before(async () => {
    site = stack.use(await stageKeptSite(tree({ "index.html": "hello", "big.bin": seededBytes(300_000, "big") })));
    restoreService = stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase }));
    snapshotId = await site.backUp();
    directory = await site.directoryOf(snapshotId);
  });
  after(() => stack.disposeAsync());

  const audited = (verb: string) => site.hub.db.auditEvent.findMany({ where: { verb, objectId: snapshotId } });
  const urgentBackups = () => site.hub.db.job.findMany({ where: { type: "BACKUP", priority: 8 } });

  it("is found by the checks in turn, told live and written down, restored no more, and its source is backed up at once", async () => {
    await site.scrub(snapshotId);
    const { status, verifyDepth } = await site.snapshot(snapshotId);
    assert.deepEqual([status, verifyDepth], ["COMPLETED", "BYTES"]);

    const signal = AbortSignal.timeout(60_000);
    const told: string[] = [];
    const watched = (async () => {
      const api = connectApi({ url: site.hub.graphqlUrl, token: site.acme.token });
      const { tenantId } = site.acme;
      for await (const { snapshot } of api.watchSnapshots({ tenantId }, { signal })) {
        if (snapshot?.id === snapshotId) told.push(snapshot.status);
        if (told.includes("CORRUPT")) break;
      }
    })();
    await flipBit(join(directory, artifact), 200_000);
    await site.scrub(snapshotId);
    await watched;
    const found = await site.snapshot(snapshotId);
    assert.deepEqual([found.status, found.viewerCanRestore], ["CORRUPT", false]);
    assert.match(String(found.damage), /^backup\.tar\.zst\.enc is damaged: /);
    const { code } = await site.restore(snapshotId);
    assert.equal(code, "SNAPSHOT_NOT_RESTORABLE");
    const [urgent, ...more] = await urgentBackups();
    assert.ok(urgent);
    assert.deepEqual(more, []);
    assert.deepEqual(
      (await audited("markSnapshotDamaged")).map(({ actorKind, after: facts }) => [actorKind, facts]),
      [["worker", { status: "CORRUPT", damage: found.damage, depth: "BYTES", backupJobId: urgent.id }]],
    );
    const backup = await jobEnd(site.acme.ask, urgent.id);
    assert.deepEqual([backup.status, backup.snapshot.status], ["COMPLETED", "COMPLETED"]);
  });

  it("that is whole again is not good again before a check that somebody asked for has said so", async () => {
    await flipBit(join(directory, artifact), 200_000);
    assert.equal(await runDueChecks(site.hub.running.hub), 0);
    assert.equal((await site.snapshot(snapshotId)).status, "CORRUPT");
    assert.equal((await site.verify(snapshotId)).status, "COMPLETED");
    const { status, damage, damagedAt, viewerCanRestore } = await site.snapshot(snapshotId);
    assert.deepEqual([status, damage, damagedAt, viewerCanRestore], ["COMPLETED", null, null, true]);
    assert.equal((await audited("markSnapshotWhole")).length, 1);
  });

  for (const [how, damage] of Object.entries(damages))
    for (const name of how === "flipped" ? ["catalogue.zst.enc", "manifest.json", "meta.json"] : [artifact])
      it(`is found: ${name} ${how}`, async () => {
        const path = join(directory, name);
        const job = await whileDamaged(path, damage, () => site.verify(snapshotId));
        assert.deepEqual([job.status, job.errorCode], ["FAILED", "ARTIFACT_CORRUPT"]);
        const { status, damage: reason } = await site.snapshot(snapshotId);
        assert.equal(status, "CORRUPT");
        assert.match(String(reason), new RegExp(`${name.replaceAll(".", "\\.")}|manifest`));
        assert.equal((await site.verify(snapshotId)).status, "COMPLETED");
      });

  it("is found where it is another one that lies in its place, with documents that fit each other", async () => {
    const other = await site.directoryOf(await site.backUp());
    const aside = `${directory}-aside`;
    await rename(directory, aside);
    await rename(other, directory);
    assert.equal((await site.verify(snapshotId)).errorCode, "ARTIFACT_CORRUPT");
    await rename(directory, other);
    await rename(aside, directory);
    assert.equal((await site.verify(snapshotId)).status, "COMPLETED");
  });

  it("that is not there is missing, and once it is back, good by a check alone", async () => {
    await rename(directory, `${directory}-aside`);
    assert.equal((await site.verify(snapshotId)).errorCode, "ARTIFACT_CORRUPT");
    assert.equal((await site.snapshot(snapshotId)).status, "MISSING");
    await rename(`${directory}-aside`, directory);
    assert.equal(await runDueChecks(site.hub.running.hub), 0);
    assert.equal((await site.snapshot(snapshotId)).status, "MISSING");
    assert.equal((await site.verify(snapshotId)).status, "COMPLETED");
    assert.equal((await site.snapshot(snapshotId)).status, "COMPLETED");
  });

  it("is not said to be missing where the whole disk is: its check waits", async () => {
    const marker = join(site.worker.storageBase, ".xvault-store.json");
    const said = await readFile(marker, "utf8");
    await rename(directory, `${directory}-aside`);
    await rm(marker);
    const checking = site.verify(snapshotId);
    checking.catch(() => undefined);
    await pause(1_500);
    assert.equal((await site.snapshot(snapshotId)).status, "COMPLETED");
    await rename(`${directory}-aside`, directory);
    await writeFile(marker, said);
    assert.equal((await checking).status, "COMPLETED");
    assert.equal((await site.snapshot(snapshotId)).status, "COMPLETED");
  });

  it("of which a restore comes upon the damage first serves nothing, and is checked for it", async () => {
    await flipBit(join(directory, artifact), 150_000);
    const { url, jobId } = await site.restore(snapshotId);
    const job = await jobEnd(site.acme.ask, jobId);
    assert.deepEqual([job.status, job.errorCode], ["FAILED", "ARTIFACT_CORRUPT"]);
    assert.equal((await fetch(url)).status, 404);
    assert.deepEqual(await filesBelow(join(restoreService.tempBase, "restores")), []);
    const check = await site.hub.db.job.findFirstOrThrow({
      where: { type: "VERIFY", verifyDepth: "CONTENT", targetSnapshotId: snapshotId },
    });
    assert.equal((await jobEnd(site.acme.ask, check.id)).errorCode, "ARTIFACT_CORRUPT");
    assert.equal((await site.snapshot(snapshotId)).status, "CORRUPT");
    assert.equal((await urgentBackups()).length, 1, "the damage of a disk is answered by one backup a day");
    await flipBit(join(directory, artifact), 150_000);
    // As deep as the damage was found.
    assert.equal((await site.verify(snapshotId, "BYTES")).status, "COMPLETED");
    const { status, verifyDepth } = await site.snapshot(snapshotId);
    assert.deepEqual([status, verifyDepth], ["COMPLETED", "CONTENT"]);
  });
});

describe("a bit that is flipped on the way from the disk", () => {
  it("is found by every check and lets no opened byte out that is not what was sealed", async (t) => {
    const base = await mkdtemp(join(tmpdir(), "xvault-read-path-"));
    t.after(() => rm(base, { recursive: true, force: true }));
    const content = seededBytes(200_000, "read path");
    const sealed = await sealSnapshot(base, [file("data", content)]);
    const directory = snapshotDirectory({ tenantId: "ten_1", sourceId: "src_1", snapshotId: sealed.snapshotId });
    const { identity, manifestSha256 } = sealed;
    for (let nth = 1; ; nth++) {
      const way = flippingNth(localStorage(base), nth);
      const place = { storage: way.storage, directory, manifestSha256 };
      const error = await verify(place).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (!way.hasFlipped()) {
        assert.equal(error, null);
        assert.ok(nth > 4, "every stored file was read");
        break;
      }
      assert.equal((await damageOf(error, place))?.missing, false, `reading number ${nth}`);
    }
    for (let nth = 1; ; nth++) {
      const way = flippingNth(localStorage(base), nth);
      const out: Uint8Array[] = [];
      const read = async () => {
        const place = { storage: way.storage, directory, manifestSha256 };
        await using artifact = await openArtifact({ ...place, identities: [identity] });
        for await (const entry of artifact.entries()) for await (const piece of entry.content) out.push(piece.slice());
      };
      const failed = await read().then(
        () => false,
        () => true,
      );
      if (!way.hasFlipped()) break;
      const came = Buffer.concat(out);
      assert.ok(failed, `reading number ${nth}`);
      assert.ok(came.equals(content.subarray(0, came.length)), `reading number ${nth}`);
    }
  });
});

/** A storage whose nth reading comes with one bit turned around. */
function flippingNth(inner: Storage, nth: number) {
  let readings = 0;
  const storage: Pick<Storage, "open" | "stat"> = {
    stat: (directory, name) => inner.stat(directory, name),
    async open(directory, name) {
      const reader = await inner.open(directory, name);
      return {
        size: reader.size,
        async read(...args) {
          const bytes = Buffer.from(await reader.read(...args));
          if (++readings === nth) {
            const place = bytes.length >> 1;
            bytes[place] = (bytes[place] ?? 0) ^ 4;
          }
          return bytes;
        },
        close: () => reader.close(),
      };
    },
  };
  return { storage, hasFlipped: () => readings >= nth };
}
