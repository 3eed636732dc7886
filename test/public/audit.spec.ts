// Who did what: of a tenant for its admins, of the platform for its operators, found by verb, actor, object and time.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { playWorker } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Ids, stageEverything } from "./everything-of.ts";
import { run, stageOperator } from "./operators.ts";
import { type Person, stagePerson } from "./people.ts";

interface Event {
  readonly id: string;
  readonly at: string;
  readonly verb: string;
  readonly tenantId: string | null;
  readonly actorKind: string;
  readonly actorId: string | null;
  readonly actorName: string | null;
  readonly objectId: string | null;
  readonly before: unknown;
  readonly after: unknown;
}

const fields = "id at verb tenantId actorKind actorId actorName objectId before after";

describe("the audit", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let operator: Person;
  let acme: StagedTenant;
  let ids: Ids;
  let owner: Person;
  let admin: Person;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    operator = await stageOperator(hub);
    acme = await stageTenant(hub);
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    admin = await stagePerson(hub, { tenantId: acme.tenantId, role: "ADMIN" });
    ids = await stageEverything(hub, { tenant: acme, owner, worker: await playWorker(hub) });
    await run(owner.ask, "updateTenant", { tenantId: ids.tenant, name: "Acme & Co" });
    await run(operator.ask, "suspendTenant", { tenantId: ids.tenant, reason: "unpaid" });
    await run(operator.ask, "resumeTenant", { tenantId: ids.tenant });
    await run(operator.ask, "updateSetting", { key: "MAX_DOWNLOAD_SIZE_MB", value: 5 });
  });
  after(() => stack.disposeAsync());

  async function ofTenant(
    person: Person,
    filter: object = {},
    orderBy = "NEWEST_FIRST",
    id = ids.tenant,
  ): Promise<Event[]> {
    const { data, errors } = await person.ask(
      `query ($id: ID!, $where: AuditEventFilter, $orderBy: AuditEventOrder) {
        tenant(id: $id) { auditEvents(first: 100, where: $where, orderBy: $orderBy) { totalCount nodes { ${fields} } } }
      }`,
      { id, where: filter, orderBy },
    );
    if (errors) throw new Error(String(errors[0]?.extensions?.code));
    assert.equal(data.tenant.auditEvents.totalCount, data.tenant.auditEvents.nodes.length);
    return data.tenant.auditEvents.nodes;
  }
  async function ofPlatform(scope: "PLATFORM" | "ALL", filter: object = {}): Promise<Event[]> {
    const { data } = await operator.ask(
      `query ($where: PlatformAuditEventFilter) {
        auditEvents(first: 100, where: $where) { nodes { ${fields} } }
      }`,
      { where: { ...filter, scope } },
    );
    return data.auditEvents.nodes;
  }

  it("shows an admin who did what to which object, and what became of it", async () => {
    const [event] = await ofTenant(admin, { verbs: ["updateTenant"] });
    assert.match(event?.id ?? "", /^aud_/);
    assert.deepEqual(
      { ...event, id: "", at: "" },
      {
        ...{ id: "", at: "", verb: "updateTenant", tenantId: ids.tenant, objectId: ids.tenant },
        ...{ actorKind: "USER", actorId: owner.userId, actorName: "Staged" },
        ...{ before: { name: "Acme" }, after: { name: "Acme & Co" } },
      },
    );
    const all = await ofTenant(admin);
    assert.ok(all.every(({ tenantId }) => tenantId === ids.tenant));
    for (const verb of ["createTenant", "createSource", "startBackup", "claimJob", "completeJob", "startRestore"])
      assert.ok(
        all.some((each) => each.verb === verb),
        verb,
      );
  });

  it("tells that an operator or a worker did something, and not what they are called", async () => {
    const [suspended] = await ofTenant(owner, { verbs: ["suspendTenant"] });
    assert.deepEqual([suspended?.actorKind, suspended?.actorName], ["USER", null]);
    const [claimed] = await ofTenant(owner, { verbs: ["claimJob"] });
    assert.deepEqual([claimed?.actorKind, claimed?.actorName], ["WORKER", null]);
  });

  it("is found by verb, by actor, by object and by time, in both orders", async () => {
    const all = await ofTenant(admin);
    assert.deepEqual(await ofTenant(admin, {}, "OLDEST_FIRST"), all.toReversed());
    const matching = async (filter: object, matches: (event: Event) => boolean) => {
      const found = await ofTenant(admin, filter);
      assert.deepEqual(found, all.filter(matches));
      assert.ok(found.length > 0 && found.length < all.length);
    };
    await matching({ verbs: ["updateTenant", "createSource"] }, ({ verb }) =>
      ["updateTenant", "createSource"].includes(verb),
    );
    await matching({ actorId: owner.userId }, ({ actorId }) => actorId === owner.userId);
    await matching({ objectId: ids.job }, ({ objectId }) => objectId === ids.job);
    const at = all[3]?.at ?? "";
    await matching({ after: at }, (event) => event.at >= at);
    await matching({ before: at }, (event) => event.at < at);
    for (const filter of [
      ...[{ verbs: [] }, { verbs: ["a\0"] }, { verbs: ["x".repeat(9_999)] }, { actorId: "\0" }, { objectId: "\ud83d" }],
      ...[{ before: "0000-01-01T00:00:00Z" }, { actorId: "" }],
    ])
      assert.deepEqual(await ofTenant(admin, filter), [], JSON.stringify(filter));
  });

  it("goes page by page without a gap", async () => {
    const all = await ofTenant(admin);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { data } = await admin.ask(
        `query ($id: ID!, $after: String) { tenant(id: $id) {
          auditEvents(first: 7, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } }
        } }`,
        { id: ids.tenant, after: cursor },
      );
      const { nodes, pageInfo } = data.tenant.auditEvents;
      seen.push(...nodes.map(({ id }: Event) => id));
      cursor = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (cursor);
    assert.deepEqual(
      seen,
      all.map(({ id }) => id),
    );
  });

  for (const role of ["VIEWER", "MEMBER"] as const)
    it(`is closed to the role ${role}`, async () => {
      const person = await stagePerson(hub, { tenantId: ids.tenant, role });
      await assert.rejects(ofTenant(person), /^Error: FORBIDDEN$/);
    });

  it("shows operators what was done to the platform, and of tenants that something was, not what", async () => {
    const platform = await ofPlatform("PLATFORM");
    assert.ok(platform.every(({ tenantId }) => tenantId === null));
    const setting = platform.find(({ verb }) => verb === "updateSetting");
    assert.deepEqual(
      [setting?.objectId, setting?.actorName, setting?.before, setting?.after],
      ["max_download_size_mb", "Staged", { value: 0 }, { value: 5 }],
    );
    const [renamed] = await ofPlatform("ALL", { verbs: ["updateTenant"] });
    assert.deepEqual(
      [renamed?.tenantId, renamed?.actorId, renamed?.actorName, renamed?.before, renamed?.after],
      [ids.tenant, owner.userId, null, null, null],
    );
    const { errors } = await owner.ask("{ auditEvents { totalCount } }");
    assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
  });

  it("holds no secret", async () => {
    const rows = await hub.running.hub.db.auditEvent.findMany();
    const secrets = /of a staged source|AGE-SECRET-KEY|xv[a-z]_[\w-]{43}|\$argon2|[0-9a-f]{64}/;
    for (const { verb, before, after } of rows) assert.doesNotMatch(JSON.stringify([before, after]), secrets, verb);
  });
});
