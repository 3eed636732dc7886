// Every mutation of the public surface that changed something is written down: once, under its own name.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { publicSchema } from "../../schema/public/schema.ts";
import { playWorker } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { inputs, mutation, stageEverything } from "../public/everything-of.ts";
import { stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";

/** What has to be so before a mutation changes anything: it is refused, or changes nothing, as long as it is not. */
const preparations: Record<string, readonly string[]> = {
  disableTenantKey: ["rotateTenantKey"],
  enableSource: ["disableSource"],
  resumeSchedule: ["pauseSchedule"],
  resumeTenant: ["suspendTenant"],
  resumeWorker: ["drainWorker"],
  undeleteSnapshot: ["deleteSnapshot"],
  undeleteTenant: ["deleteTenant"],
  unpinSnapshot: ["pinSnapshot"],
};

/** Mutations that are refused with the input of `everything-of.ts`, and why. What is refused leaves no row. */
const refused: Record<string, string> = {
  acceptInvitation: "INVALID_TOKEN",
  cancelJob: "JOB_ENDED",
  changePassword: "WRONG_PASSWORD",
  createPasswordReset: "NOT_FOUND",
  deleteCredential: "CREDENTIAL_IN_USE",
  deleteSource: "SOURCE_HAS_SNAPSHOTS",
  refreshSession: "SESSION_ENDED",
  resetPassword: "INVALID_TOKEN",
  retryJob: "JOB_NOT_RETRYABLE",
  signIn: "SIGN_IN_FAILED",
  signOut: "SESSION_ENDED",
};

/** What others cannot be tried after: the next one begins with a tenant of its own. */
const spoiling = [
  ...["acceptHostKey", "deleteTenant", "leaveTenant", "removeMember", "retireWorker", "startBackup", "suspendTenant"],
  ...["revokeApiKey", "revokeInvitation", "signOutEverywhere", "updateMember"],
  ...["deleteSnapshot", "disableTenantKey", "pinSnapshot", "setTenantRecipients", "undeleteSnapshot"],
];

/** What everybody may do with themselves, whatever their role in a tenant. */
const ofOneself = ["leaveTenant", "updateViewer"];

describe("the audit of the public surface", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let staged: ReturnType<typeof stage> | null = null;
  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
  });
  after(() => stack.disposeAsync());

  /** One who may do everything, in a tenant that has everything. */
  async function stage(): Promise<{
    tenant: StagedTenant;
    all: Record<string, Record<string, unknown>>;
    owner: string;
  }> {
    const { db } = hub.running.hub;
    await emptyQueue(db);
    const tenant = await stageTenant(hub);
    const owner = await stagePerson(hub, { tenantId: tenant.tenantId, role: "OWNER" });
    await db.user.update({ where: { id: owner.userId }, data: { platformAdmin: true } });
    const ids = await stageEverything(hub, { tenant, owner, worker: await playWorker(hub) });
    // Nothing is being restored, so that nothing stands in a deletion's way.
    await db.restore.updateMany({ where: { tenantId: tenant.tenantId }, data: { status: "READY" } });
    return { tenant: { ...tenant, ask: owner.ask }, all: inputs(ids), owner: owner.userId };
  }

  for (const name of Object.keys(publicSchema.getMutationType()?.getFields() ?? {}).sort())
    it(`has ${name in refused ? "no row" : "one row, with the actor and no secret,"} for ${name}`, async () => {
      const { db } = hub.running.hub;
      staged ??= stage();
      const { tenant, all, owner } = await staged;
      if (spoiling.includes(name)) staged = null;
      const run = async (each: string) => (await tenant.ask(mutation(each), { input: all[each] })).data?.[each];
      for (const each of preparations[name] ?? []) assert.match((await run(each)).__typename, /Payload$/);
      const earlier = await db.auditEvent.count();
      const answer = await run(name);
      const rows = await db.auditEvent.findMany({ orderBy: { id: "asc" }, skip: earlier });
      if (name in refused) assert.equal(answer.code, refused[name]);
      else assert.match(answer.__typename, /Payload$/, answer.message);
      assert.deepEqual(
        rows.map(({ verb, actorKind, actorId }) => [verb, actorKind, actorId]),
        name in refused ? [] : [[name, "user", owner]],
      );
      for (const { before, after } of rows)
        assert.doesNotMatch(JSON.stringify([before, after]), /xv[a-z]_[\w-]{43}|"(x|y)"|AGE-SECRET/);
    });

  it("has no row for what was refused for the role", async () => {
    const { tenant, all } = await stage();
    const stranger = await stagePerson(hub, { tenantId: tenant.tenantId, role: "VIEWER" });
    const earlier = await hub.running.hub.db.auditEvent.count();
    for (const name of Object.keys(all))
      if (!(name in refused || ofOneself.includes(name))) await stranger.ask(mutation(name), { input: all[name] });
    const rows = await hub.running.hub.db.auditEvent.findMany({ orderBy: { id: "asc" }, skip: earlier });
    assert.deepEqual(rows, []);
  });
});
