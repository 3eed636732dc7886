// Keys that programs sign in with: shown once, good for what they were made for, and never for people, keys or the tenant.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { mayWithKey, type Verb } from "../../domain/rules/permissions.ts";
import { publicSchema } from "../../schema/public/schema.ts";
import { playWorker } from "../private/played-worker.ts";
import { everything } from "../private/state.ts";
import { type Ask, client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Ids, inputs, mutation, stageEverything, unknown } from "./everything-of.ts";
import { type Person, stagePerson } from "./people.ts";

describe("an API key", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let owner: Person;
  let ids: Ids;
  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    ids = await stageEverything(hub, { tenant: acme, owner, worker: await playWorker(hub) });
  });
  after(() => stack.disposeAsync());

  const make = async (input: object, ask: Ask = owner.ask) => {
    const { data, errors } = await ask(
      `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
        ... on CreateApiKeyPayload {
          token apiKey { id name prefix role sourceIds expiresAt lastUsedAt revokedAt createdBy }
        }
        ... on Failure { code message }
      } }`,
      { input: { tenantId: acme.tenantId, name: "Nightly", role: "MEMBER", ...input } },
    );
    return errors ? { code: errors[0]?.extensions?.code } : data.createApiKey;
  };
  const revoke = (apiKeyId: string) =>
    owner.ask(mutation("revokeApiKey"), { input: { apiKeyId } }).then(({ data }) => data.revokeApiKey.__typename);
  const askWith = (token: string) => client(hub.graphqlUrl, token);
  const see = async (token: string) => {
    const { data, errors } = await askWith(token)("{ tenants { nodes { id } } viewer { id } }");
    return errors ? errors[0]?.extensions?.code : data;
  };
  const newSchedule = async (): Promise<string> => {
    const { data } = await owner.ask(
      `mutation ($sourceId: ID!) { createSchedule(input: { sourceId: $sourceId, cron: "@daily" }) { ... on CreateSchedulePayload { schedule { id } } } }`,
      { sourceId: ids.source },
    );
    return data.createSchedule.schedule.id;
  };
  const open = () => ({ tenants: { nodes: [{ id: acme.tenantId }] }, viewer: null });

  it("opens its tenant, is nobody, and shows its token once", async () => {
    const { token, apiKey } = await make({});
    assert.match(token, /^xva_[0-9a-f]{12}_[\w-]{43}$/);
    const { id, ...facts } = apiKey;
    assert.deepEqual(facts, {
      ...{ name: "Nightly", prefix: token.slice(0, 16), role: "MEMBER", sourceIds: [], expiresAt: null },
      ...{ lastUsedAt: null, revokedAt: null, createdBy: owner.userId },
    });
    assert.deepEqual(await see(token), open());
    const { platform } = hub.running.hub;
    const rows = JSON.stringify([await platform.apiKey.findMany(), await platform.auditEvent.findMany()]);
    assert.ok(rows.includes(id) && !rows.includes(token.slice(17)));
  });

  it("opens nothing where anything of it is another, or where it is revoked or over", async () => {
    const [{ token }, other] = [await make({}), await make({})];
    const [head, tail] = [token.slice(0, 17), token.slice(17)];
    const wrong = [
      `${head}${other.token.slice(17)}`,
      `${head}${tail.slice(0, -1)}`,
      `${token}A`,
      `${head}${tail.toLowerCase()}`,
      `xva_${"0".repeat(12)}_${tail}`,
      `xvw_${token.slice(4)}`,
      `${head}${"A".repeat(43)}`,
      token.slice(0, 16),
    ];
    for (const each of wrong) assert.equal(await see(each), "UNAUTHENTICATED", each);
    assert.equal(await revoke(other.apiKey.id), "RevokeApiKeyPayload");
    assert.equal(await see(other.token), "UNAUTHENTICATED");
    assert.equal(await revoke(other.apiKey.id), "RevokeApiKeyPayload", "once more changes nothing");
    const brief = await make({ expiresAt: new Date(Date.now() + 1_500).toISOString() });
    assert.deepEqual(await see(brief.token), open());
    await pause(1_600);
    assert.equal(await see(brief.token), "UNAUTHENTICATED");
    assert.deepEqual(await see(token), open(), "the others go on");
  });

  it("is no owner, has an end that is to come, and is made by admins and owners alone", async () => {
    assert.equal((await make({ role: "OWNER" })).code, "BAD_INPUT");
    assert.equal((await make({ expiresAt: new Date(Date.now() - 1_000).toISOString() })).code, "BAD_INPUT");
    assert.equal((await make({ name: " " })).code, "BAD_INPUT");
    for (const role of ["VIEWER", "MEMBER", "ADMIN"] as const) {
      const { ask } = await stagePerson(hub, { tenantId: acme.tenantId, role });
      const [mine, list] = [await make({ role: "ADMIN" }, ask), await ask(keys, { id: acme.tenantId })];
      assert.equal(mine.code, role === "ADMIN" ? undefined : "FORBIDDEN");
      assert.equal(list.errors?.[0]?.extensions?.code, role === "ADMIN" ? undefined : "FORBIDDEN");
    }
  });
  const keys = `query ($id: ID!) { tenant(id: $id) { apiKeys { totalCount nodes { id lastUsedAt } } } }`;

  it("notes when it was used, and not more often than once a minute", async () => {
    const { token, apiKey } = await make({});
    const { platform } = hub.running.hub;
    const lastUsed = async () => (await platform.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } })).lastUsedAt;
    await see(token);
    const first = await lastUsed();
    assert.ok(first && Math.abs(Date.now() - first.getTime()) < 5_000);
    await see(token);
    assert.deepEqual(await lastUsed(), first);
    await platform.apiKey.update({ where: { id: apiKey.id }, data: { lastUsedAt: new Date(Date.now() - 61_000) } });
    await see(token);
    assert.ok(((await lastUsed())?.getTime() ?? 0) > Date.now() - 5_000);
  });

  for (const role of ["VIEWER", "MEMBER", "ADMIN"] as const)
    it(`with the role ${role} does what the table says, and nothing about people, keys, the tenant or itself`, async () => {
      const { token } = await make({ role });
      const [ask, person] = [askWith(token), await stagePerson(hub, { tenantId: acme.tenantId, role })];
      const doors = ["acceptInvitation", "refreshSession", "resetPassword", "signIn", "signOut"];
      for (const name of Object.keys(publicSchema.getMutationType()?.getFields() ?? {})) {
        if (doors.includes(name)) continue;
        // The one that goes would be missed by the verbs after it.
        const scheduleId = name === "deleteSchedule" ? await newSchedule() : ids.schedule;
        const input = inputs({ ...ids, user: person.userId, schedule: scheduleId })[name];
        const before = await everything(hub.running.hub.db);
        const answer = await ask(mutation(name), { input });
        const allowed = mayWithKey(role, name as Verb, { someSources: false });
        assert.deepEqual(answer.errors?.[0]?.extensions?.code, allowed ? undefined : "FORBIDDEN", name);
        if (allowed) assert.notEqual(answer.data[name].code, "NOT_FOUND", name);
        else assert.deepEqual(await everything(hub.running.hub.db), before, name);
      }
      for (const field of ["apiKeys", "invitations"]) {
        const { errors } = await ask(`query ($id: ID!) { tenant(id: $id) { ${field} { totalCount } } }`, {
          id: acme.tenantId,
        });
        assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN", field);
      }
      const look = `query ($id: ID!, $key: ID!) {
        tenant(id: $id) { viewerCanManageMembers viewerCanManageApiKeys members { totalCount } } node(id: $key) { id }
      }`;
      const { data } = await ask(look, { id: acme.tenantId, key: ids.apiKey });
      assert.deepEqual([data.tenant.viewerCanManageMembers, data.tenant.viewerCanManageApiKeys], [false, false]);
      assert.ok(data.tenant.members.totalCount > 0);
      assert.equal(data.node, null);
    });

  it("for some sources sees those and nothing else, and makes nothing", async () => {
    const { data } = await acme.ask(
      mutation("createSource").replace("__typename", "... on CreateSourcePayload { source { id } }"),
      {
        input: inputs(ids).createSource,
      },
    );
    const other = data.createSource.source.id;
    const { token, apiKey } = await make({ role: "ADMIN", sourceIds: [ids.source, ids.source] });
    assert.deepEqual(apiKey.sourceIds, [ids.source]);
    const ask = askWith(token);
    const look = `query ($id: ID!, $one: ID!, $other: ID!) {
      tenant(id: $id) { sources { totalCount nodes { id } } credentials { totalCount } members { totalCount } }
      one: source(id: $one) { id } other: source(id: $other) { id }
    }`;
    assert.deepEqual((await ask(look, { id: acme.tenantId, one: ids.source, other })).data, {
      tenant: {
        sources: { totalCount: 1, nodes: [{ id: ids.source }] },
        credentials: { totalCount: 0 },
        members: { totalCount: 0 },
      },
      one: { id: ids.source },
      other: null,
    });
    const { errors } = await ask(mutation("createSource"), { input: inputs(ids).createSource });
    assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
    const start = async (sourceId: string) =>
      (await ask(mutation("startBackup"), { input: { sourceId } })).data.startBackup;
    assert.equal((await start(other)).code, "NOT_FOUND");
    assert.notEqual((await start(ids.source)).code, "NOT_FOUND");
  });

  it("is not made for sources of somebody else's", async () => {
    const next = await stageTenant(hub, "Next door");
    const { ask } = await stagePerson(hub, { tenantId: next.tenantId, role: "OWNER" });
    for (const id of [ids.source, unknown(ids.source), ""]) {
      const answer = await make({ tenantId: next.tenantId, sourceIds: [id] }, ask);
      assert.equal(answer.code, "NOT_FOUND");
    }
    // Nor for those of another tenant of one's own.
    const both = await make({ tenantId: next.tenantId, sourceIds: [ids.source] }, acme.ask);
    assert.equal(both.code, "NOT_FOUND");
  });
});
