// Tenants as their owners and the platform's operators handle them: named, bounded, stopped, deleted and taken back.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { runDueSchedules } from "../../domain/due-schedules.ts";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { run, stageOperator } from "./operators.ts";
import { type Person, stagePerson } from "./people.ts";

const day = 86_400_000;

describe("a tenant", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let worker: PlayedWorker;
  let operator: Person;
  let acme: StagedTenant;
  let tenantId: string;
  let owner: Person;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    worker = await playWorker(hub);
    operator = await stageOperator(hub);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    acme = await stageTenant(hub);
    tenantId = acme.tenantId;
    owner = await stagePerson(hub, { tenantId, role: "OWNER" });
    sourceId = await testedSource(acme, worker);
  });

  const status = async () => (await hub.running.hub.db.tenant.findUniqueOrThrow({ where: { id: tenantId } })).status;
  const auditOf = (verb: string) => hub.running.hub.db.auditEvent.findMany({ where: { tenantId, verb } });

  it("is renamed by its owner, and by nobody with a lesser role", async () => {
    const renamed = await run(owner.ask, "updateTenant", { tenantId, name: " Acme & Co " }, "tenant { name }");
    assert.deepEqual(renamed, { __typename: "UpdateTenantPayload", tenant: { name: "Acme & Co" } });
    const admin = await stagePerson(hub, { tenantId, role: "ADMIN" });
    assert.deepEqual(await run(admin.ask, "updateTenant", { tenantId, name: "Mine" }), { error: "FORBIDDEN" });
    assert.equal((await run(operator.ask, "updateTenant", { tenantId, name: "Mine" })).code, "NOT_FOUND");
    for (const name of ["", " ", "a\nb", "\u001b[31mred", "x".repeat(101), "x".repeat(200_000)])
      assert.equal((await run(owner.ask, "updateTenant", { tenantId, name })).code, "BAD_INPUT");
    const [row] = await auditOf("updateTenant");
    assert.deepEqual([row?.before, row?.after], [{ name: "Acme" }, { name: "Acme & Co" }]);
  });

  it("tells its people what they may and what they have, and what they may do about it", async () => {
    await backUp(acme, worker, sourceId);
    await startJob(acme.ask, "testSource", sourceId);
    await worker.take("TEST_SOURCE");
    await run(operator.ask, "setTenantQuotas", { tenantId, plan: "large", maxSources: 9, maxBytes: "5000000000" });
    const query = `query ($id: ID!) { tenant(id: $id) {
      plan quotas { maxSources maxBytes maxRunningJobs } usage { sources snapshots storedBytes runningJobs }
      suspendedFor deletionDueAt viewerCanUpdate viewerCanDelete viewerCanReadAudit
    } }`;
    const facts = {
      plan: "large",
      quotas: { maxSources: 9, maxBytes: "5000000000", maxRunningJobs: null },
      usage: { sources: 1, snapshots: 1, storedBytes: "1000000000", runningJobs: 1 },
      suspendedFor: null,
      deletionDueAt: null,
    };
    const may = (update: boolean, remove: boolean, audit: boolean) => ({
      ...{ viewerCanUpdate: update, viewerCanDelete: remove, viewerCanReadAudit: audit },
    });
    assert.deepEqual((await owner.ask(query, { id: tenantId })).data.tenant, { ...facts, ...may(true, true, true) });
    const admin = await stagePerson(hub, { tenantId, role: "ADMIN" });
    assert.deepEqual((await admin.ask(query, { id: tenantId })).data.tenant, { ...facts, ...may(false, false, true) });
    const member = await stagePerson(hub, { tenantId, role: "MEMBER" });
    assert.deepEqual((await member.ask(query, { id: tenantId })).data.tenant, {
      ...facts,
      ...may(false, false, false),
    });
  });

  it("gets its quotas from operators, who change what they name and lift what they set to null", async () => {
    const selection = "tenant { plan quotas { maxSources maxBytes maxRunningJobs } }";
    const set = (input: object) => run(operator.ask, "setTenantQuotas", { tenantId, ...input }, selection);
    await set({ maxSources: 3, maxBytes: "10", maxRunningJobs: 2 });
    const { tenant } = await set({ maxBytes: null });
    assert.deepEqual(tenant, { plan: "standard", quotas: { maxSources: 3, maxBytes: null, maxRunningJobs: 2 } });
    for (const input of [
      { maxSources: -1 },
      { maxRunningJobs: 0 },
      { maxRunningJobs: 1001 },
      { maxBytes: String(2n ** 50n + 1n) },
      { plan: "a\u0007b" },
    ])
      assert.equal((await set(input)).code, "BAD_INPUT");
    assert.equal((await set({ tenantId: `ten_${"0".repeat(32)}` })).code, "NOT_FOUND");
    assert.equal((await set({ tenantId: "\0" })).code, "NOT_FOUND");
    assert.deepEqual(await run(owner.ask, "setTenantQuotas", { tenantId, maxSources: 1 }), { error: "FORBIDDEN" });
    assert.equal((await auditOf("setTenantQuotas")).length, 2);
  });

  it("makes no more sources than its plan allows, however many are made at once", async () => {
    await run(operator.ask, "setTenantQuotas", { tenantId, maxSources: 3 });
    const make = () =>
      run(owner.ask, "createSource", {
        tenantId,
        type: "SFTP",
        name: "x",
        config: { host: "a.example.com", username: "u", path: "/" },
      });
    const made = await Promise.all(Array.from({ length: 6 }, make));
    assert.deepEqual(made.map(({ __typename }) => __typename).sort(), [
      ...["CreateSourcePayload", "CreateSourcePayload"],
      ...["QuotaExceededError", "QuotaExceededError", "QuotaExceededError", "QuotaExceededError"],
    ]);
    assert.equal(await hub.running.hub.db.source.count({ where: { tenantId } }), 3);
  });

  it("begins no backup once its plan's bytes are used up, and a schedule's slot says so", async () => {
    await backUp(acme, worker, sourceId);
    await run(operator.ask, "setTenantQuotas", { tenantId, maxBytes: "1000000000" });
    const refusal = await run(owner.ask, "startBackup", { sourceId });
    assert.deepEqual(refusal, {
      __typename: "QuotaExceededError",
      code: "QUOTA_EXCEEDED",
      message: "Your plan allows 953 MiB of stored backups.",
    });
    const { db } = hub.running.hub;
    await run(owner.ask, "createSchedule", { sourceId, intervalMinutes: 60 });
    await db.$executeRaw`UPDATE schedules SET next_run_at = now() WHERE tenant_id = ${tenantId}`;
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    const job = await db.job.findFirstOrThrow({ where: { tenantId, scheduleId: { not: null } } });
    assert.deepEqual([job.status, job.errorCode], ["FAILED", "QUOTA_EXCEEDED"]);
    assert.equal(await worker.claim("BACKUP"), null);
    await run(operator.ask, "setTenantQuotas", { tenantId, maxBytes: "1000000001" });
    assert.equal((await run(owner.ask, "startBackup", { sourceId })).__typename, "StartBackupPayload");
  });

  it("begins nothing while it is suspended but restores, and goes on as if nothing had been when it is resumed", async () => {
    const snapshotId = await backUp(acme, worker, sourceId);
    await startJob(acme.ask, "testSource", sourceId);
    const running = await worker.take("TEST_SOURCE");
    const queued = await startJob(acme.ask, "startBackup", sourceId);
    const { tenant } = await run(
      operator.ask,
      "suspendTenant",
      { tenantId, reason: "The bill is open." },
      "tenant { status suspendedFor usage { storedBytes } }",
    );
    assert.deepEqual(tenant, {
      ...{ status: "SUSPENDED", suspendedFor: "The bill is open.", usage: { storedBytes: "1000000000" } },
    });
    const seen = await owner.ask("query ($id: ID!) { tenant(id: $id) { status suspendedFor } }", { id: tenantId });
    assert.deepEqual(seen.data.tenant, { status: "SUSPENDED", suspendedFor: "The bill is open." });
    assert.equal((await run(owner.ask, "testSource", { sourceId })).code, "TENANT_SUSPENDED");
    assert.equal((await run(owner.ask, "startBackup", { sourceId })).code, "TENANT_SUSPENDED");
    await worker.api.completeJob({ ...leaseOf(running), findings: {} });
    assert.equal(await worker.claim("BACKUP", "TEST_SOURCE"), null);
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    assert.equal((await run(owner.ask, "startRestore", { snapshotId, form: "ZIP" })).__typename, "StartRestorePayload");
    assert.equal((await service.take("RESTORE")).snapshot?.snapshotId, snapshotId);
    for (const verb of ["suspendTenant", "resumeTenant"])
      assert.deepEqual(
        await run(owner.ask, verb, verb === "suspendTenant" ? { tenantId, reason: "x" } : { tenantId }),
        {
          error: "FORBIDDEN",
        },
      );
    for (const reason of ["", "a\nb", "x".repeat(501)])
      assert.equal((await run(operator.ask, "suspendTenant", { tenantId, reason })).code, "BAD_INPUT");
    await run(operator.ask, "resumeTenant", { tenantId });
    assert.equal(await status(), "ACTIVE");
    assert.equal((await worker.take("BACKUP")).jobId, queued);
    assert.deepEqual([(await auditOf("suspendTenant")).length, (await auditOf("resumeTenant")).length], [1, 1]);
  });

  it("is deleted by its owner who says its name, with the grace that the settings give", async () => {
    for (const confirmName of ["", "acme", "Acme Inc"])
      assert.equal((await run(owner.ask, "deleteTenant", { tenantId, confirmName })).code, "BAD_INPUT");
    const admin = await stagePerson(hub, { tenantId, role: "ADMIN" });
    assert.deepEqual(await run(admin.ask, "deleteTenant", { tenantId, confirmName: "Acme" }), { error: "FORBIDDEN" });
    const begun = Date.now();
    const selection = "tenant { status deletionDueAt }";
    const first = await run(owner.ask, "deleteTenant", { tenantId, confirmName: "Acme" }, selection);
    assert.equal(first.tenant.status, "DELETING");
    assert.ok(Math.abs(Date.parse(first.tenant.deletionDueAt) - begun - 30 * day) < 60_000);
    const second = await run(operator.ask, "deleteTenant", { tenantId, confirmName: "Acme" }, selection);
    assert.deepEqual(second, first);
    const refusal = await run(owner.ask, "startBackup", { sourceId });
    assert.deepEqual([refusal.code, refusal.message], ["TENANT_SUSPENDED", "This tenant is being deleted."]);
    assert.equal((await auditOf("deleteTenant")).length, 1);
  });

  it("is taken back by its owner until its end is due, and no later", async () => {
    await run(owner.ask, "deleteTenant", { tenantId, confirmName: "Acme" });
    const { tenant } = await run(owner.ask, "undeleteTenant", { tenantId }, "tenant { status deletionDueAt }");
    assert.deepEqual(tenant, { status: "ACTIVE", deletionDueAt: null });
    await run(operator.ask, "deleteTenant", { tenantId, confirmName: "Acme" });
    await hub.running.hub.db.tenant.update({ where: { id: tenantId }, data: { deletionDueAt: new Date() } });
    for (const { ask } of [owner, operator])
      assert.equal((await run(ask, "undeleteTenant", { tenantId })).code, "DELETION_DUE");
    assert.equal(await status(), "DELETING");
  });

  it("stays suspended when its deletion is taken back: nobody frees themselves that way", async () => {
    await run(operator.ask, "suspendTenant", { tenantId, reason: "abuse" });
    await run(owner.ask, "deleteTenant", { tenantId, confirmName: "Acme" });
    await run(owner.ask, "undeleteTenant", { tenantId });
    assert.equal(await status(), "SUSPENDED");
    await run(owner.ask, "deleteTenant", { tenantId, confirmName: "Acme" });
    await run(operator.ask, "resumeTenant", { tenantId });
    assert.equal(await status(), "DELETING");
    await run(owner.ask, "undeleteTenant", { tenantId });
    assert.equal(await status(), "ACTIVE");
  });

  it("is listed for operators with its numbers and with nothing of what it has", async () => {
    await backUp(acme, worker, sourceId);
    const query = `query ($where: TenantOverviewFilter) { allTenants(first: 1, where: $where) {
      totalCount nodes { id name status plan quotas { maxSources } usage { sources snapshots storedBytes runningJobs } }
    } }`;
    const { allTenants } = (await operator.ask(query)).data;
    assert.deepEqual(allTenants.nodes, [
      {
        ...{ id: tenantId, name: "Acme", status: "ACTIVE", plan: "standard", quotas: { maxSources: null } },
        usage: { sources: 1, snapshots: 1, storedBytes: "1000000000", runningJobs: 0 },
      },
    ]);
    assert.equal(allTenants.totalCount, await hub.running.hub.db.tenant.count());
    await run(operator.ask, "suspendTenant", { tenantId, reason: "x" });
    const suspended = (await operator.ask(query, { where: { status: "SUSPENDED" } })).data.allTenants;
    assert.deepEqual(
      suspended.nodes.map(({ id }: { id: string }) => id),
      [tenantId],
    );
    assert.equal((await owner.ask(query)).errors?.[0]?.extensions?.code, "FORBIDDEN");
    const nested = await operator.ask("{ allTenants { nodes { sources { totalCount } } } }");
    assert.match(nested.errors?.[0]?.message ?? "", /Cannot query field "sources"/);
    const own = await operator.ask("query ($id: ID!) { tenant(id: $id) { id } tenants { totalCount } }", {
      id: tenantId,
    });
    assert.deepEqual(own.data, { tenant: null, tenants: { totalCount: 0 } });
  });
});
