// What each role may do over the wire is what the table of permissions says, and nobody without a part may do anything.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { may, type Verb } from "../../domain/rules/permissions.ts";
import { publicSchema } from "../../schema/public/schema.ts";
import { playWorker } from "../private/played-worker.ts";
import { everything } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";
import { forOperators, type Ids, inputs, mutation, stageEverything } from "./everything-of.ts";
import { type Person, stagePerson } from "./people.ts";

/** Mutations that no role of a tenant allows: the door, oneself, and what operators of the platform do. */
const outside = [
  ...["acceptInvitation", "refreshSession", "resetPassword", "signIn", "signOut"],
  ...["changePassword", "signOutEverywhere", "updateViewer"],
  ...forOperators,
];
const verbs = Object.keys(publicSchema.getMutationType()?.getFields() ?? {})
  .filter((name) => !outside.includes(name))
  // What is deleted is found no more by the verbs behind it.
  .sort((a, b) => Number(a.startsWith("delete")) - Number(b.startsWith("delete")));

const newSchedule = `mutation ($sourceId: ID!) {
  createSchedule(input: { sourceId: $sourceId, intervalMinutes: 60 }) { ... on CreateSchedulePayload { schedule { id } } }
}`;

describe("over the wire", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let ids: Ids;
  let owner: Person;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    const tenant = await stageTenant(hub);
    owner = await stagePerson(hub, { tenantId: tenant.tenantId, role: "OWNER" });
    ids = await stageEverything(hub, { tenant, owner, worker: await playWorker(hub) });
  });
  after(() => stack.disposeAsync());

  /** Whoever was removed by one who may is there for the next one. */
  async function rejoin(): Promise<void> {
    const part = { tenantId: ids.tenant, userId: ids.member, role: "VIEWER" } as const;
    await hub.running.hub.db.membership.createMany({ data: part, skipDuplicates: true });
  }

  for (const role of ["VIEWER", "MEMBER", "ADMIN", "OWNER"] as const)
    it(`the role ${role} may look, and do what the table says`, async () => {
      const person = await stagePerson(hub, { tenantId: ids.tenant, role });
      const look = `query ($id: ID!) { tenant(id: $id) { name sources { totalCount } } viewer { memberships { role } } }`;
      const { data } = await person.ask(look, { id: ids.tenant });
      assert.deepEqual(data, {
        tenant: { name: "Acme", sources: { totalCount: role === "OWNER" ? 2 : 1 } },
        viewer: { memberships: [{ role }] },
      });
      const { schedule } = (await owner.ask(newSchedule, { sourceId: ids.source })).data.createSchedule;
      ids = { ...ids, schedule: schedule.id };
      for (const name of verbs) {
        if (name === "updateMember") await rejoin();
        const before = await everything(hub.running.hub.db);
        const answer = await person.ask(mutation(name), { input: inputs(ids)[name] });
        const refusal = answer.errors?.map(({ extensions }) => extensions?.code);
        assert.deepEqual(refusal, may(role, name as Verb) ? undefined : ["FORBIDDEN"], name);
        if (refusal) assert.deepEqual(await everything(hub.running.hub.db), before, name);
        else assert.notEqual(answer.data[name].code, "NOT_FOUND", name);
      }
    });

  for (const name of forOperators)
    it(`${name} is for operators of the platform alone`, async () => {
      const before = await everything(hub.running.hub.db);
      const { errors } = await owner.ask(mutation(name), { input: inputs(ids)[name] });
      assert.deepEqual(
        errors?.map(({ extensions }) => extensions),
        [{ code: "FORBIDDEN" }],
      );
      assert.deepEqual(await everything(hub.running.hub.db), before);
    });

  it("the accounts are shown to operators of the platform alone", async () => {
    const { errors } = await owner.ask("{ users { totalCount nodes { email } } }");
    assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
  });

  it("the workers are shown to operators of the platform alone", async () => {
    const { errors } = await owner.ask("{ workers { totalCount nodes { name } } }");
    assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
    const { data } = await owner.ask(`query ($id: ID!) { worker(id: $id) { name } node(id: $id) { id } }`, {
      id: ids.worker,
    });
    assert.deepEqual(data, { worker: null, node: null });
  });

  it("an operator sees the workers, and is nobody in a tenant without a part there", async () => {
    const operator = await stagePerson(hub);
    await hub.running.hub.db.user.update({ where: { id: operator.userId }, data: { platformAdmin: true } });
    const { data } = await operator.ask(
      `query ($worker: ID!, $tenant: ID!, $job: ID!) {
        worker(id: $worker) { id } workers { nodes { id } } tenant(id: $tenant) { id } job(id: $job) { id }
      }`,
      { worker: ids.worker, tenant: ids.tenant, job: ids.job },
    );
    assert.deepEqual(data, {
      worker: { id: ids.worker },
      workers: { nodes: [{ id: ids.worker }] },
      tenant: null,
      job: null,
    });
    const { createTenant } = (await operator.ask(mutation("createTenant"), { input: { name: "Theirs" } })).data;
    assert.equal(createTenant.__typename, "CreateTenantPayload");
  });
});
