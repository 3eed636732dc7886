// What is promised of `xvault fsck`: it is content with what xVault leaves behind, and finds every kind of damage that is not.
// The eye of every row of the fault matrix.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { Snapshot } from "../../prisma/client/client.ts";
import type { Database } from "../../prisma/connect.ts";
import { firstDifference } from "../../server/operator/checks/artifacts.ts";
import { type FsckOptions, fsck } from "../../server/operator/fsck.ts";
import { available } from "../stage/available.ts";
import { type StagedSite, stageSite } from "../stage/backed-up-site.ts";
import { stageRestore } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, startJob } from "../stage/tenant.ts";
import { directory, link, seededBytes, sha256, tree } from "../stage/tree.ts";
import { assertClean, keysOf } from "./kit/clean.ts";

const bytes = seededBytes(300_000, "fsck");
const content = tree({ "a/one": "1", "a/large": bytes, here: link("a/one"), "empty/": directory });
/** As fsck describes it. */
const described = new Map([
  ["a", "directory"],
  ["a/one", `file of 1 bytes, sha256 ${sha256(Buffer.from("1"))}`],
  ["a/large", `file of 300000 bytes, sha256 ${sha256(bytes)}`],
  ["here", "link to a/one"],
  ["empty", "directory"],
]);
const canary = "canary-7b1f0c55-of-nobody";

const program = join(import.meta.dirname, "../../server/operator/main.ts");

/** Undoes what was planted. */
class TakenBack extends Error {}

describe("xvault fsck", { skip: missingOpenSsh ?? available("age") ?? available("zstd") ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: StagedSite;
  let grounds: FsckOptions;
  let good: Snapshot;
  let scratch: string;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "xvault-fsck-spec-"));
    stack.defer(() => rm(scratch, { recursive: true, force: true }));
    site = stack.use(await stageSite(content));
    const { hub, worker, acme, sourceId } = site;
    await deleteAtOnce(hub);
    const service = stack.use(await stageRestore(hub, { storageBase: worker.storageBase }));
    for (let made = 0; made < 2; made++)
      assert.equal((await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId))).status, "COMPLETED");
    const [doomed, kept] = await hub.db.snapshot.findMany({ orderBy: { id: "asc" } });
    assert.ok(doomed && kept);
    good = kept;
    await acme.ask(`mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) { __typename } }`, {
      id: good.id,
    });
    const { id: restoreJob } = await hub.db.job.findFirstOrThrow({ where: { type: "RESTORE" } });
    assert.equal((await jobEnd(acme.ask, restoreJob)).status, "COMPLETED");
    const deletion = await startJob(acme.ask, "deleteSnapshot", doomed.id);
    assert.equal((await jobEnd(acme.ask, deletion)).status, "COMPLETED");
    grounds = {
      db: hub.db,
      stores: [{ workerId: worker.workerId, base: worker.storageBase }],
      temps: [worker.tempBase, service.tempBase],
      graceSeconds: 0,
      secondLookAfterMs: 0,
      identityOf: keysOf(hub.running.hub),
      oracle: (_, found) => firstDifference(described, found),
      canaries: [canary],
    };
  });
  after(() => stack.disposeAsync());

  /** The invariants that do not hold with these rows changed, as no hub would let them be. */
  async function afterChanging(plant: (tx: Database) => Promise<unknown>, about?: string): Promise<string[]> {
    let found: string[] = [];
    const changing = grounds.db.$transaction(
      async (tx) => {
        await tx.$executeRaw`SET LOCAL session_replication_role = replica`;
        await plant(tx as unknown as Database);
        found = invariantsOf(await fsck({ ...grounds, db: tx as unknown as Database }), about);
        throw new TakenBack();
      },
      { timeout: 60_000 },
    );
    await assert.rejects(changing, TakenBack);
    return found;
  }

  const invariantsOf = (findings: Awaited<ReturnType<typeof fsck>>, about?: string) => [
    ...new Set(findings.filter((each) => about === undefined || each.about === about).map((each) => each.invariant)),
  ];

  /** The same with a copy of the store. */
  async function afterDamaging(damage: (base: string, artifact: string) => Promise<unknown>): Promise<string[]> {
    const base = await mkdtemp(join(scratch, "store-"));
    await cp(site.worker.storageBase, base, { recursive: true });
    await damage(base, join(base, good.localPath ?? ""));
    return invariantsOf(await fsck({ ...grounds, stores: [{ workerId: site.worker.workerId, base }] }));
  }

  it("finds nothing after a backup, a restore and a deletion, down to what age, zstd and tar make of the artifact", async () => {
    await assertClean({ ...grounds, withStockTools: true });
  });

  it("finds an artifact that is gone, cut, changed in one bit, or was made of something else (I1)", async () => {
    const name = "backup.tar.zst.enc";
    assert.deepEqual(await afterDamaging((_, artifact) => rm(artifact, { recursive: true })), ["I1"]);
    assert.deepEqual(await afterDamaging((_, artifact) => appendFile(join(artifact, name), "x")), ["I1"]);
    assert.deepEqual(await afterDamaging((_, artifact) => rm(join(artifact, "meta.json"))), ["I1"]);
    const flip = async (_: string, artifact: string) => {
      await using file = await open(join(artifact, name), "r+");
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 200_000);
      await file.write(Buffer.from([(buffer[0] ?? 0) ^ 4]), 0, 1, 200_000);
    };
    assert.deepEqual(await afterDamaging(flip), ["I1"]);
    const other = new Map([...described, ["a/one", "directory"]]);
    const findings = await fsck({ ...grounds, oracle: (_, found) => firstDifference(other, found) });
    assert.deepEqual(invariantsOf(findings), ["I1"]);
    const hash = "0".repeat(64);
    for (const data of [{ manifestSha256: hash }, { artifactSha256: hash }, { localPath: "tenants" }])
      assert.deepEqual(await afterChanging((tx) => tx.snapshot.update({ where: { id: good.id }, data })), ["I1"]);
  });

  it("finds a backup that made no snapshot, and a snapshot that no completed backup made (I2)", async () => {
    const gone = await afterChanging((tx) => tx.snapshot.delete({ where: { id: good.id } }), good.jobId);
    assert.deepEqual(gone, ["I2"]);
    const failed = (tx: Database) => tx.job.update({ where: { id: good.jobId }, data: { status: "FAILED" } });
    assert.deepEqual(await afterChanging(failed, good.id), ["I2"]);
  });

  it("finds a job that nobody took back from a worker that fell silent (I3)", async () => {
    const silent = (seconds: number) => (tx: Database) =>
      tx.$executeRaw`
      UPDATE jobs SET status = 'RUNNING', ended_at = NULL, lease_expires_at = now() - make_interval(secs => ${seconds})
      WHERE id = ${good.jobId}`;
    assert.ok((await afterChanging(silent(130), good.jobId)).includes("I3"));
    assert.ok(!(await afterChanging(silent(110), good.jobId)).includes("I3"), "it has two leases' time");
  });

  it("finds drafts, half removed snapshots, plaintext and other leftovers that nobody is at work with (I4)", async () => {
    const beside = (artifact: string, name: string) => mkdir(join(artifact, "..", name));
    for (const name of [`.staging-${good.id}.7`, `.removed-${good.id}`, `.replacing-${good.id}`, "old copy"])
      assert.deepEqual(await afterDamaging((_, artifact) => beside(artifact, name)), ["I4"], name);
    const temp = await mkdtemp(join(scratch, "temp-"));
    await writeFile(join(temp, ".spool-1"), "");
    assert.deepEqual(invariantsOf(await fsck({ ...grounds, temps: [temp] })), ["I4"]);
    assert.deepEqual(await fsck({ ...grounds, temps: [temp], graceSeconds: 60 }), [], "it may be new");
    const place = join(temp, "worker-0123abcd", "1f");
    await mkdir(place, { recursive: true });
    await rm(join(temp, ".spool-1"));
    assert.deepEqual(await fsck({ ...grounds, temps: [temp] }), [], "a place is nothing");
    await mkdir(join(place, "tunnel-1"));
    assert.deepEqual(
      (await fsck({ ...grounds, temps: [temp] })).map(({ about }) => about),
      [join(place, "tunnel-1")],
    );
    const revoke = (tx: Database) => tx.restore.updateMany({ data: { status: "REVOKED" } });
    assert.deepEqual(await afterChanging(revoke), ["I4"]);
    const live = await afterChanging(async (tx) => {
      await beside(join(site.worker.storageBase, good.localPath ?? ""), ".staging-snp_live.3");
      await tx.$executeRaw`UPDATE jobs SET status = 'RUNNING', attempt_snapshot_id = 'snp_live', lease_epoch = 3,
        lease_expires_at = now() + interval '1 minute' WHERE id = ${good.jobId}`;
    });
    await rm(join(site.worker.storageBase, good.localPath ?? "", "..", ".staging-snp_live.3"), { recursive: true });
    assert.ok(!live.includes("I4"), "it is being written");
  });

  it("finds an artifact that has no row, or one that says it is deleted (I5)", async () => {
    const copied = (_: string, artifact: string) =>
      cp(artifact, join(artifact, "..", "snp_of_nobody"), { recursive: true });
    assert.deepEqual(await afterDamaging(copied), ["I5"]);
    const doomed = await site.hub.db.snapshot.findFirstOrThrow({ where: { status: "DELETED" } });
    const back = (base: string, artifact: string) => rename(artifact, join(base, doomed.localPath ?? ""));
    assert.deepEqual((await afterDamaging(back)).sort(), ["I1", "I5"]);
  });

  it("finds a log with a gap, without its end, or that nobody was told of in order (I6)", async () => {
    const jobId = good.jobId;
    const gap = (tx: Database) => tx.jobEvent.delete({ where: { jobId_seq: { jobId, seq: 2 } } });
    assert.ok((await afterChanging(gap, jobId)).includes("I6"));
    const otherEnd = (tx: Database) => tx.$executeRaw`
      UPDATE job_events SET facts = '{"status":"FAILED"}' WHERE job_id = ${jobId} AND facts->>'status' = 'COMPLETED'`;
    assert.deepEqual(await afterChanging(otherEnd), ["I6"]);
    const told = async (...states: string[]) =>
      invariantsOf(await fsck({ ...grounds, witnesses: [{ jobId, states }] }));
    assert.deepEqual(await told("QUEUED", "RUNNING", "COMPLETED"), []);
    for (const states of [["RUNNING"], ["COMPLETED", "COMPLETED"], ["COMPLETED", "RUNNING"], ["FAILED"]])
      assert.deepEqual(await told(...states), ["I6"], states.join());
  });

  it("finds a planted secret in a table and in a file, as it is and in its disguises (I7)", async () => {
    const say = (text: string) => (tx: Database) =>
      tx.$executeRaw`UPDATE jobs SET progress = jsonb_build_object('said', ${text}::text) WHERE id = ${good.jobId}`;
    const secret = Buffer.from(canary);
    for (const text of [
      canary,
      `user:${canary}@host`,
      secret.toString("hex"),
      Buffer.from(`ab${canary}`).toString("base64"),
    ])
      assert.deepEqual(await afterChanging(say(text)), ["I7"], text);
    const place = join(scratch, "a.log");
    await writeFile(place, `${"x".repeat(65_530)}${canary}`);
    assert.deepEqual(
      invariantsOf(await fsck({ ...grounds, canaryPlaces: [place] })),
      ["I7"],
      "over the seam of two pieces",
    );
  });

  it("finds a state that went back, and attempts beyond the last one (I8)", async () => {
    const jobId = good.jobId;
    const back = (tx: Database) => tx.$executeRaw`
      UPDATE job_events SET facts = '{"status":"FAILED"}' WHERE job_id = ${jobId} AND facts->>'status' = 'FINALIZING'`;
    assert.deepEqual(await afterChanging(back), ["I8"]);
    const unended = (tx: Database) => tx.job.update({ where: { id: jobId }, data: { endedAt: null } });
    assert.deepEqual(await afterChanging(unended), ["I8"]);
    const often = async (tx: Database) => {
      await tx.$executeRaw`ALTER TABLE jobs DROP CONSTRAINT jobs_attempts`;
      await tx.job.update({ where: { id: jobId }, data: { attempt: 4, leaseEpoch: 4 } });
    };
    assert.ok((await afterChanging(often, jobId)).includes("I8"));
  });

  it("finds a source whose last good snapshot the retention took, and none whose owner wanted that (I9)", async () => {
    const take = (by: string) => async (tx: Database) => {
      await tx.snapshot.update({ where: { id: good.id }, data: { status: "DELETED", deletedAt: new Date() } });
      await tx.$executeRaw`
        INSERT INTO audit_events (id, tenant_id, actor_kind, verb, object_id, after)
        VALUES ('aud_planted', ${good.tenantId}, 'system', 'deleteSnapshot', ${good.id}, jsonb_build_object('by', ${by}::text))`;
    };
    assert.deepEqual(await afterChanging(take("retention"), good.sourceId), ["I9"]);
    assert.deepEqual(await afterChanging(take("its owner"), good.sourceId), []);
    const corrupt = (tx: Database) => tx.snapshot.update({ where: { id: good.id }, data: { status: "CORRUPT" } });
    assert.deepEqual(await afterChanging(corrupt), ["I9"]);
  });

  it("finds what was done and is not on record, or twice (I10)", async () => {
    for (const verb of ["completeJob", "claimJob", "startBackup"]) {
      const forget = (tx: Database) => tx.auditEvent.deleteMany({ where: { verb, objectId: good.jobId } });
      assert.deepEqual(await afterChanging(forget, good.jobId), ["I10"], verb);
      const repeat = (tx: Database) => tx.$executeRaw`
        INSERT INTO audit_events (id, tenant_id, actor_kind, verb, object_id, after)
        SELECT id || '_2', tenant_id, actor_kind, verb, object_id, after FROM audit_events
        WHERE verb = ${verb} AND object_id = ${good.jobId}`;
      assert.deepEqual(await afterChanging(repeat, good.jobId), ["I10"], `${verb} twice`);
    }
    const forgotten = (tx: Database) => tx.auditEvent.deleteMany({ where: { verb: "createSource" } });
    assert.deepEqual(await afterChanging(forgotten), ["I10"]);
  });

  it("is a command for operators, with sentences, JSON and an exit code", async () => {
    const base = await mkdtemp(join(scratch, "store-"));
    await cp(site.worker.storageBase, base, { recursive: true });
    const ask = (...more: string[]) =>
      promisify(execFile)(process.execPath, [program, "fsck", "--store", base, ...more], {
        env: { PATH: process.env.PATH ?? "", DATABASE_URL: site.hub.databaseUrl },
      });
    const facts = { snapshots: 1, artifacts: 1, opened: false };
    assert.deepEqual(JSON.parse((await ask("--json")).stdout), { ok: true, ...facts, findings: [] });
    assert.match((await ask()).stdout, /All of it holds\.\n$/);
    await rm(join(base, good.localPath ?? ""), { recursive: true });
    const { code, stdout } = await ask("--json").then(
      () => assert.fail("it found nothing"),
      (error: { code: number; stdout: string }) => error,
    );
    const sentence = "Its artifact is not there.";
    assert.equal(code, 5);
    assert.deepEqual(JSON.parse(stdout).findings, [{ invariant: "I1", about: good.id, sentence }]);
    const elsewhere = ask("--store", scratch).then(
      () => assert.fail("it is no store"),
      (error: { code: number; stderr: string }) => error,
    );
    assert.equal((await elsewhere).code, 1);
    assert.match((await elsewhere).stderr, /no worker's store/);
  });
});
