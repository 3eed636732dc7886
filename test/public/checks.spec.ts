// When snapshots are checked: all of them in turn, one of each source opened for real, any of them on request, and by whom.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { runDueChecks } from "../../domain/checks.ts";
import type { Prisma } from "../../prisma/client/client.ts";
import {
  backUp,
  leaseOf,
  madeSnapshot,
  type PlayedWorker,
  playWorker,
  testedSource,
} from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const dayMs = 86_400_000;
const daysAgo = (days: number) => new Date(Date.now() - days * dayMs);

describe("the checks of snapshots", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let worker: PlayedWorker;
  let service: PlayedWorker;
  let acme: StagedTenant;
  let sourceId: string;
  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.db);
    await hub.db.systemSetting.deleteMany();
    // Of earlier tests: nothing of theirs is due.
    await hub.db.worker.updateMany({ data: { status: "OFFLINE" } });
    worker = await playWorker(hub);
    service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });

  const due = () => runDueChecks(hub.running.hub);
  const change = (id: string, data: Prisma.SnapshotUpdateInput) => hub.db.snapshot.update({ where: { id }, data });
  const snapshot = (id: string) => hub.db.snapshot.findUniqueOrThrow({ where: { id } });
  const setting = (key: string, value: number) => hub.db.systemSetting.create({ data: { key, value } });
  const older = () => hub.db.source.update({ where: { id: sourceId }, data: { createdAt: daysAgo(30) } });
  async function seen(days: number): Promise<string> {
    const id = await backUp(acme, worker, sourceId);
    await change(id, { verifiedAt: daysAgo(days) });
    return id;
  }
  async function ask(input: object) {
    const { data } = await acme.ask(
      `mutation ($input: VerifySnapshotInput!) { verifySnapshot(input: $input) {
        ... on VerifySnapshotPayload { job { id priority verifyDepth } } ... on Failure { code }
      } }`,
      { input },
    );
    return data.verifySnapshot.job ?? data.verifySnapshot.code;
  }

  it("come round to what nobody looked at for the longest, in time, and leave alone what is no good or on its way out", async () => {
    const [oldest, old] = [await seen(9), await seen(6)];
    const others = [await seen(3), await seen(9), await seen(9), await seen(9)];
    await change(others[1] ?? "", { status: "CORRUPT" });
    await change(others[2] ?? "", { status: "MISSING" });
    await change(others[3] ?? "", { status: "DELETING" });
    assert.equal(await due(), 2);
    assert.equal(await due(), 0, "each once");
    for (const id of [oldest, old]) {
      const job = await worker.take("VERIFY");
      assert.deepEqual(
        [job.snapshot?.snapshotId, job.check],
        [id, { depth: "BYTES", rateBytes: String(32 * 2 ** 20) }],
      );
      assert.deepEqual(await worker.unseal((await worker.api.claimSecrets(leaseOf(job))).sealed), {}, "no key for it");
      await worker.api.completeJob(leaseOf(job));
      const { verifiedAt, verifyDepth, openedAt } = await snapshot(id);
      assert.ok(Date.now() - Number(verifiedAt) < 60_000);
      assert.deepEqual([verifyDepth, openedAt], ["BYTES", null]);
    }
    assert.equal(await worker.claim("VERIFY"), null);
    assert.equal(await due(), 0);
  });

  it("are made by one of several hubs, once, and for nobody who is not there to do them", async () => {
    for (let n = 0; n < 3; n++) await seen(9);
    await hub.db.worker.update({ where: { id: worker.id }, data: { status: "OFFLINE" } });
    assert.equal(await due(), 0);
    await hub.db.worker.update({ where: { id: worker.id }, data: { status: "ONLINE" } });
    const made = await Promise.all([due(), due(), due(), due()]);
    assert.equal(
      made.reduce((sum, each) => sum + each),
      3,
    );
    assert.equal(await hub.db.job.count({ where: { type: "VERIFY", tenantId: acme.tenantId } }), 3);
  });

  it("are not begun again at once where they failed for another reason than damage", async () => {
    const id = await seen(9);
    await due();
    const job = await worker.take("VERIFY");
    await worker.api.failJob({ ...leaseOf(job), code: "KEY_UNAVAILABLE", message: "It could not be done." });
    assert.equal((await snapshot(id)).status, "COMPLETED");
    assert.equal(await due(), 0);
    await hub.db.job.update({ where: { id: job.jobId }, data: { createdAt: daysAgo(2) } });
    assert.equal(await due(), 1);
  });

  it("open one snapshot of each source a week for real, in the restore service alone, with the key for that one job", async () => {
    const ids = [await seen(0), await seen(0)];
    assert.equal(await due(), 0, "a source that was made just now has time");
    await older();
    assert.equal(await due(), 1);
    assert.equal(await due(), 0);
    assert.equal(await worker.claim("VERIFY"), null);
    const job = await service.take("VERIFY");
    const id = job.snapshot?.snapshotId ?? "";
    assert.ok(ids.includes(id));
    assert.equal(job.check?.depth, "CONTENT");
    const { identities } = (await service.unseal((await service.api.claimSecrets(leaseOf(job))).sealed)) as {
      identities: string[];
    };
    assert.match(identities.join(), /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/);
    await service.api.completeJob(leaseOf(job));
    const { verifyDepth, openedAt } = await snapshot(id);
    assert.equal(verifyDepth, "CONTENT");
    assert.ok(openedAt);
    assert.equal(await due(), 0);
    await change(id, { openedAt: daysAgo(8) });
    assert.equal(await due(), 1);
  });

  it("open nothing where the customer alone holds the key, it is disabled, or no restore service reads the store", async () => {
    const id = await seen(0);
    await older();
    const key = { tenantId: acme.tenantId };
    await hub.db.tenantKey.updateMany({ where: key, data: { status: "DISABLED" } });
    assert.equal(await due(), 0);
    await hub.db.tenantKey.updateMany({ where: key, data: { status: "ROTATED" } });
    await hub.db.worker.update({ where: { id: service.id }, data: { status: "OFFLINE" } });
    assert.equal(await due(), 0);
    await hub.db.worker.update({ where: { id: service.id }, data: { status: "ONLINE" } });
    const recipients = [await identityToRecipient(await generateX25519Identity())];
    await acme.ask(
      `mutation ($input: SetTenantRecipientsInput!) { setTenantRecipients(input: $input) { ... on Failure { code } } }`,
      { input: { ...key, recipients } },
    );
    const customers = await backUp(acme, worker, sourceId);
    await change(id, { deletionDueAt: new Date() });
    assert.equal(await due(), 0);
    assert.equal(await ask({ snapshotId: customers, depth: "CONTENT" }), "CUSTOMER_KEY_REQUIRED");
    assert.equal((await ask({ snapshotId: customers })).verifyDepth, "BYTES");
  });

  it("are switched off, and hurried, by the settings", async () => {
    await seen(9);
    await older();
    await setting("scrub_interval_days", 0);
    await setting("drill_interval_days", 0);
    assert.equal(await due(), 0);
    await hub.db.systemSetting.deleteMany();
    await setting("scrub_rate_mb_per_second", 0);
    assert.equal(await due(), 2);
    assert.deepEqual((await worker.take("VERIFY")).check, { depth: "BYTES", rateBytes: null });
  });

  it("that somebody asks for go before the others, once each, and take nobody's place", async () => {
    const [turn, wanted] = [await seen(9), await seen(8)];
    await acme.ask(
      `mutation ($input: SetTenantQuotasInput!) { setTenantQuotas(input: $input) { ... on Failure { code } } }`,
      { input: { tenantId: acme.tenantId, maxRunningJobs: 1 } },
    );
    await due();
    const asked = await ask({ snapshotId: wanted });
    assert.equal(asked.priority, 5);
    assert.equal((await ask({ snapshotId: wanted })).id, asked.id);
    assert.equal(await hub.db.job.count({ where: { type: "VERIFY", targetSnapshotId: wanted } }), 1);
    assert.equal((await worker.take("VERIFY")).jobId, asked.id);
    assert.equal((await worker.take("VERIFY")).snapshot?.snapshotId, turn);
    await startJob(acme.ask, "startBackup", sourceId);
    assert.equal((await worker.take("BACKUP")).attempt, 1, "two checks are under way, and one job may run");
    await change(turn, { status: "DELETING" });
    assert.equal(await ask({ snapshotId: turn }), "SNAPSHOT_DELETED");
  });

  it("find damage: the source is backed up before others, unless it is under way or was today", async () => {
    const ids = [await seen(1), await seen(1), await seen(1)];
    const damage = async (id: string) => {
      await ask({ snapshotId: id });
      const job = await worker.take("VERIFY");
      await worker.api.failJob({
        ...leaseOf(job),
        code: "ARTIFACT_CORRUPT",
        message: "It is damaged.",
        missing: false,
      });
      assert.equal((await snapshot(id)).status, "CORRUPT");
    };
    const backups = () =>
      hub.db.job.findMany({
        where: { type: "BACKUP", sourceId, status: "QUEUED" },
        select: { id: true, priority: true },
      });
    const queued = await startJob(acme.ask, "startBackup", sourceId);
    await damage(ids[0] ?? "");
    assert.deepEqual(await backups(), [{ id: queued, priority: 8 }], "the one that waits is hurried");
    const lease = leaseOf(await worker.take("BACKUP"));
    await worker.api.failJob({ ...lease, code: "SOURCE_AUTH_FAILED", message: "The password is wrong." });
    await damage(ids[1] ?? "");
    const [urgent] = await backups();
    assert.equal(urgent?.priority, 8);
    await backUpUrgently();
    await damage(ids[2] ?? "");
    assert.deepEqual(await backups(), [], "the damage of a disk is answered once a day");
  });

  async function backUpUrgently(): Promise<void> {
    const job = await worker.take("BACKUP");
    await worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) });
  }

  it("that looked less deep than the damage lies prove nothing against it", async () => {
    const id = await seen(1);
    await ask({ snapshotId: id, depth: "CONTENT" });
    const job = await service.take("VERIFY");
    await service.api.failJob({ ...leaseOf(job), code: "ARTIFACT_CORRUPT", message: "An entry is wrong." });
    const again = await ask({ snapshotId: id, depth: "BYTES" });
    assert.equal(again.verifyDepth, "CONTENT");
    // As if one of the bytes alone had been under way.
    await hub.db.job.update({ where: { id: again.id }, data: { verifyDepth: "BYTES" } });
    await worker.api.completeJob(leaseOf(await worker.take("VERIFY")));
    assert.equal((await snapshot(id)).status, "CORRUPT");
    await ask({ snapshotId: id });
    await service.api.completeJob(leaseOf(await service.take("VERIFY")));
    const { status, damage, damagedAt } = await snapshot(id);
    assert.deepEqual([status, damage, damagedAt], ["COMPLETED", null, null]);
  });
});
