// F12: what is promised where Postgres refuses a transaction because of another one: it is tried again, and at last there is a clear answer.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import pg from "pg";
import { transact } from "../../domain/hub.ts";
import { leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const createTenant = `mutation { createTenant(input: { name: "Made under conflict" }) {
  ... on CreateTenantPayload { tenant { id } }
} }`;

describe("a transaction that Postgres refuses because of another", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
    // A sequence counts what is rolled back, too.
    for (const statement of [
      "CREATE SEQUENCE staged_calls",
      "CREATE TABLE staged_conflict (first_calls int, code text)",
      "INSERT INTO staged_conflict VALUES (0, '')",
      `CREATE FUNCTION staged_conflict() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        DECLARE conflict staged_conflict;
        BEGIN
          SELECT * INTO conflict FROM staged_conflict;
          IF nextval('staged_calls') <= conflict.first_calls THEN
            RAISE EXCEPTION 'staged conflict' USING ERRCODE = conflict.code;
          END IF;
          RETURN NEW;
        END $$`,
    ])
      await hub.db.$executeRawUnsafe(statement);
  });
  after(() => stack.disposeAsync());

  const triggers = {
    "in the middle": "CREATE TRIGGER staged_conflict BEFORE INSERT OR UPDATE ON TABLE_NAME FOR EACH ROW",
    "at the commit":
      "CREATE CONSTRAINT TRIGGER staged_conflict AFTER INSERT OR UPDATE ON TABLE_NAME DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
  };

  /** The first calls of the trigger fail, each in a transaction of its own. */
  async function refuse(table: string, moment: keyof typeof triggers, code: string, firstCalls: number): Promise<void> {
    await hub.db.$executeRawUnsafe(`DROP TRIGGER IF EXISTS staged_conflict ON ${table}`);
    await hub.db.$executeRaw`UPDATE staged_conflict SET first_calls = ${firstCalls}, code = ${code}`;
    await hub.db.$executeRaw`ALTER SEQUENCE staged_calls RESTART`;
    const trigger = triggers[moment].replace("TABLE_NAME", table);
    await hub.db.$executeRawUnsafe(`${trigger} EXECUTE FUNCTION staged_conflict()`);
  }

  async function calls(): Promise<number> {
    const [row] = await hub.db.$queryRaw<{ calls: bigint }[]>`SELECT last_value AS calls FROM staged_calls`;
    return Number(row?.calls);
  }

  beforeEach(async () => {
    for (const table of ["tenants", "jobs"])
      await hub.db.$executeRawUnsafe(`DROP TRIGGER IF EXISTS staged_conflict ON ${table}`);
  });

  for (const code of ["40001", "40P01"])
    for (const moment of ["in the middle", "at the commit"] as const)
      it(`succeeds at the third try after ${code} ${moment}, once`, async () => {
        const before = await hub.db.tenant.count();
        await refuse("tenants", moment, code, 2);
        const { data } = await acme.ask(createTenant);
        assert.ok(data.createTenant.tenant.id);
        assert.deepEqual([await calls(), await hub.db.tenant.count()], [3, before + 1]);
      });

  it("is tried again where a statement of our own making failed, as claims are", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    await refuse("jobs", "in the middle", "40P01", 2);
    const job = await worker.take("BACKUP");
    assert.deepEqual([job.jobId, job.leaseEpoch], [jobId, 1]);
    await worker.api.failJob({ ...leaseOf(job), code: "PATH_NOT_FOUND", message: "Over." });
  });

  it("ends after three tries in an answer that says what to do, with nothing written and nothing announced", async () => {
    const before = await hub.db.auditEvent.count();
    await refuse("tenants", "in the middle", "40001", 1_000);
    const { data, errors } = await acme.ask(createTenant);
    assert.equal(data?.createTenant ?? null, null);
    const [{ message, extensions } = { message: "", extensions: {} }] = errors ?? [];
    assert.equal(message, "Others changed the same thing at the same moment: try again.");
    assert.deepEqual(extensions, { code: "SERVICE_UNAVAILABLE", reference: extensions?.reference });
    assert.equal(await calls(), 3);
    assert.equal(await hub.db.auditEvent.count(), before);
  });

  it("is tried again after a real deadlock, in which it was the one to give way", async () => {
    const [one, two] = [await stageTenant(hub, "one"), await stageTenant(hub, "two")];
    const other = new pg.Client({ connectionString: hub.databaseUrl });
    await other.connect();
    stack.defer(() => other.end());
    // It has all the patience, so the other one is chosen.
    await other.query("SET deadlock_timeout = '60s'");
    await other.query("BEGIN");
    await other.query("UPDATE tenants SET name = 'by the other' WHERE id = $1", [two.tenantId]);
    let tries = 0;
    let theirs: Promise<unknown> | undefined;
    await transact(hub.running.hub, async (tx) => {
      tries++;
      await tx.tenant.update({ where: { id: one.tenantId }, data: { name: "by us" } });
      theirs ??= other
        .query("UPDATE tenants SET name = 'by the other' WHERE id = $1", [one.tenantId])
        .then(() => other.query("COMMIT"));
      await tx.tenant.update({ where: { id: two.tenantId }, data: { name: "by us" } });
    });
    await theirs;
    assert.equal(tries, 2);
    const names = await hub.db.tenant.findMany({ where: { id: { in: [one.tenantId, two.tenantId] } } });
    assert.deepEqual(
      names.map(({ name }) => name),
      ["by us", "by us"],
    );
  });
});
