// The settings of the whole platform: read and set by operators, within bounds, and in force at once.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { run, stageOperator } from "./operators.ts";
import { type Person, stagePerson } from "./people.ts";

const query = "{ settings { key value default minimum maximum description } }";

describe("the settings", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let operator: Person;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    operator = await stageOperator(hub);
  });
  after(() => stack.disposeAsync());

  const inForce = async (key: string): Promise<number> =>
    (await operator.ask(query)).data.settings.find((each: { key: string }) => each.key === key).value;
  const audited = () =>
    hub.running.hub.db.auditEvent.findMany({
      where: { objectId: { contains: "_" }, verb: { endsWith: "Setting" } },
      orderBy: { id: "asc" },
    });

  it("have defaults, bounds and a sentence each", async () => {
    const { settings } = (await operator.ask(query)).data;
    const shown = settings.map((each: Record<string, unknown>) => [
      ...[each.key, each.value, each.default, each.minimum, each.maximum],
    ]);
    assert.deepEqual(shown, [
      ["DOWNLOAD_EXPIRATION_HOURS", 1, 1, 1, 168],
      ["MAX_DOWNLOAD_SIZE_MB", 0, 0, 0, 2_147_483_647],
      ["SNAPSHOT_DELETION_GRACE_HOURS", 168, 168, 0, 8760],
      ["TENANT_DELETION_GRACE_DAYS", 30, 30, 1, 365],
      ["BACKUP_TIME_LIMIT_MINUTES", 1440, 1440, 1, 20_160],
      ["RESTORE_TIME_LIMIT_MINUTES", 360, 360, 1, 20_160],
      ["SCRUB_INTERVAL_DAYS", 7, 7, 0, 365],
      ["DRILL_INTERVAL_DAYS", 7, 7, 0, 365],
      ["SCRUB_RATE_MB_PER_SECOND", 32, 32, 0, 100_000],
    ]);
    for (const { description } of settings) assert.match(description, /\.$/);
  });

  it("are set and set back by operators, each time with a line in the audit", async () => {
    const key = "TENANT_DELETION_GRACE_DAYS";
    const set = await run(operator.ask, "updateSetting", { key, value: 7 }, "setting { key value default }");
    assert.deepEqual(set.setting, { key, value: 7, default: 30 });
    assert.equal(await inForce(key), 7);
    const reset = await run(operator.ask, "resetSetting", { key }, "setting { key value default }");
    assert.deepEqual(reset.setting, { key, value: 30, default: 30 });
    assert.equal(await inForce(key), 30);
    assert.deepEqual(
      (await audited()).map(({ verb, objectId, before, after, actorId, tenantId }) => [
        verb,
        objectId,
        before,
        after,
        actorId,
        tenantId,
      ]),
      [
        ["updateSetting", "tenant_deletion_grace_days", { value: 30 }, { value: 7 }, operator.userId, null],
        ["resetSetting", "tenant_deletion_grace_days", { value: 7 }, { value: 30 }, operator.userId, null],
      ],
    );
  });

  it("take no value out of bounds", async () => {
    for (const [key, value] of [
      ["DOWNLOAD_EXPIRATION_HOURS", 0],
      ["DOWNLOAD_EXPIRATION_HOURS", 169],
      ["MAX_DOWNLOAD_SIZE_MB", -1],
      ["TENANT_DELETION_GRACE_DAYS", 0],
      ["SNAPSHOT_DELETION_GRACE_HOURS", 8761],
    ] as const) {
      const refusal = await run(operator.ask, "updateSetting", { key, value });
      assert.equal(refusal.code, "BAD_INPUT", key);
      assert.match(refusal.message, /from \d+ to \d+/);
    }
  });

  it("fall back to their default where what is stored makes no sense", async () => {
    const { db } = hub.running.hub;
    for (const value of [0, 1.5, "24", null, { hours: 2 }, 10_000])
      await db.systemSetting
        .upsert({
          where: { key: "download_expiration_hours" },
          ...{ create: { key: "download_expiration_hours", value: value ?? {} }, update: { value: value ?? {} } },
        })
        .then(async () => assert.equal(await inForce("DOWNLOAD_EXPIRATION_HOURS"), 1, JSON.stringify(value)));
  });

  it("are for operators alone, to read and to set", async () => {
    const person = await stagePerson(hub);
    assert.equal((await person.ask(query)).errors?.[0]?.extensions?.code, "FORBIDDEN");
    const key = "MAX_DOWNLOAD_SIZE_MB";
    assert.deepEqual(await run(person.ask, "updateSetting", { key, value: 1 }), { error: "FORBIDDEN" });
    assert.deepEqual(await run(person.ask, "resetSetting", { key }), { error: "FORBIDDEN" });
    assert.equal(await inForce(key), 0);
  });
});
