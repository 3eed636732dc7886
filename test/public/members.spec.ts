// Who has which part in a tenant, and who may change that.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Role } from "../../prisma/client/client.ts";
import type { Ask } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";
import { type Person, stagePerson } from "./people.ts";

const roles = ["VIEWER", "MEMBER", "ADMIN", "OWNER"] as const;

describe("the members of a tenant", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    hub = stack.use(await stageHub());
  });
  after(() => stack.disposeAsync());

  /** A tenant without anybody but those named. */
  async function stage<Name extends string>(cast: Record<Name, Role>) {
    const { tenantId } = await stageTenant(hub);
    await hub.running.hub.platform.membership.deleteMany({ where: { tenantId } });
    const people = {} as Record<Name, Person>;
    for (const [name, role] of Object.entries(cast) as [Name, Role][])
      people[name] = await stagePerson(hub, { tenantId, role });
    return { tenantId, ...people };
  }
  const run = async (ask: Ask, name: "updateMember" | "removeMember", input: object) => {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
    const { data, errors } = await ask(
      `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on Failure { code } } }`,
      { input },
    );
    return errors ? errors[0]?.extensions?.code : (data[name].code ?? "done");
  };
  const roleOf = async (tenantId: string, { userId }: Person) =>
    (await hub.running.hub.platform.membership.findFirst({ where: { tenantId, userId } }))?.role ?? null;

  for (const own of roles)
    it(`are changed and removed by the role ${own} as far as it reaches`, async () => {
      const { tenantId, actor, other, ...rest } = await stage({ actor: own, other: own, owner: "OWNER" });
      const of = { tenantId, userId: other.userId };
      for (const theirs of roles)
        for (const next of [...roles, null]) {
          await hub.running.hub.platform.membership.upsert({
            ...{ where: { tenantId_userId: of }, create: { ...of, role: theirs }, update: { role: theirs } },
          });
          const reaches = roles.indexOf(own) >= roles.indexOf("ADMIN") && roles.indexOf(own) >= roles.indexOf(theirs);
          const allowed = reaches && (next === null || roles.indexOf(own) >= roles.indexOf(next));
          const answer = await (next
            ? run(actor.ask, "updateMember", { ...of, role: next })
            : run(actor.ask, "removeMember", of));
          assert.equal(answer, allowed ? "done" : "FORBIDDEN", `${theirs} to ${next}`);
          assert.equal(await roleOf(tenantId, other), allowed ? next : theirs, `${theirs} to ${next}`);
        }
      assert.equal(await roleOf(tenantId, rest.owner), "OWNER");
    });

  it("raise nobody to more than they have, themselves least of all", async () => {
    const { tenantId, admin, member } = await stage({ admin: "ADMIN", member: "MEMBER", owner: "OWNER" });
    for (const { ask, userId } of [admin, member])
      assert.equal(await run(ask, "updateMember", { tenantId, userId, role: "OWNER" }), "FORBIDDEN");
    assert.equal(
      await run(member.ask, "updateMember", { tenantId, userId: member.userId, role: "ADMIN" }),
      "FORBIDDEN",
    );
    assert.deepEqual([await roleOf(tenantId, admin), await roleOf(tenantId, member)], ["ADMIN", "MEMBER"]);
  });

  it("may leave, whatever they are, but the last owner may neither leave nor become less", async () => {
    const { tenantId, viewer, owner, second } = await stage({ viewer: "VIEWER", owner: "OWNER", second: "OWNER" });
    const leave = ({ ask, userId }: Person) => run(ask, "removeMember", { tenantId, userId });
    assert.equal(await leave(viewer), "done");
    assert.equal(await leave(viewer), "NOT_FOUND");
    assert.equal(await leave(second), "done");
    assert.equal(await leave(owner), "LAST_OWNER");
    for (const role of ["VIEWER", "MEMBER", "ADMIN"])
      assert.equal(await run(owner.ask, "updateMember", { tenantId, userId: owner.userId, role }), "LAST_OWNER");
    assert.equal(await run(owner.ask, "updateMember", { tenantId, userId: owner.userId, role: "OWNER" }), "done");
    assert.equal(await roleOf(tenantId, owner), "OWNER");
  });

  it("keep an owner when all of them give it up at the same moment", async () => {
    for (let round = 0; round < 6; round++) {
      const { tenantId, a, b, c } = await stage({ a: "OWNER", b: "OWNER", c: "OWNER" });
      const answers = await Promise.all([
        run(a.ask, "removeMember", { tenantId, userId: a.userId }),
        run(b.ask, "updateMember", { tenantId, userId: b.userId, role: "VIEWER" }),
        run(c.ask, "removeMember", { tenantId, userId: c.userId }),
      ]);
      assert.deepEqual(answers.sort(), ["LAST_OWNER", "done", "done"]);
      const left = await hub.running.hub.platform.membership.count({ where: { tenantId, role: "OWNER" } });
      assert.equal(left, 1);
    }
  });

  it("are not removed by each other at the same moment: who is out has no say any more", async () => {
    const { tenantId, a, b } = await stage({ a: "OWNER", b: "OWNER" });
    const answers = await Promise.all([
      run(a.ask, "removeMember", { tenantId, userId: b.userId }),
      run(b.ask, "removeMember", { tenantId, userId: a.userId }),
    ]);
    assert.deepEqual(answers.sort(), ["NOT_FOUND", "done"]);
  });

  it("see one another, with addresses, and whether they may change who is there", async () => {
    const { tenantId, ...cast } = await stage({ viewer: "VIEWER", member: "MEMBER", admin: "ADMIN", owner: "OWNER" });
    const look = `query ($id: ID!, $after: String) { tenant(id: $id) {
      viewerCanManageMembers viewerCanManageApiKeys
      members(first: 3, after: $after) { totalCount nodes { role user { id email } } pageInfo { endCursor hasNextPage } }
    } }`;
    for (const [name, { ask }] of Object.entries(cast)) {
      const { tenant } = (await ask(look, { id: tenantId })).data;
      const may = name === "admin" || name === "owner";
      assert.deepEqual([tenant.viewerCanManageMembers, tenant.viewerCanManageApiKeys], [may, may]);
      const rest = await ask(look, { id: tenantId, after: tenant.members.pageInfo.endCursor });
      const all = [...tenant.members.nodes, ...rest.data.tenant.members.nodes];
      assert.deepEqual([tenant.members.totalCount, tenant.members.pageInfo.hasNextPage], [4, true]);
      assert.deepEqual(
        all.map(({ role, user }) => [role, user.id, user.email]),
        Object.values(cast).map(({ userId, email }, rank) => [roles[rank], userId, email]),
      );
    }
  });

  it("are seen in no tenant that whoever looks has no part in", async () => {
    const [one, other] = [await stage({ owner: "OWNER" }), await stage({ owner: "OWNER" })];
    await hub.running.hub.platform.membership.create({
      data: { tenantId: other.tenantId, userId: one.owner.userId, role: "VIEWER" },
    });
    const { data } = await other.owner.ask(
      `query ($id: ID!) { tenant(id: $id) { members { nodes { user { id memberships { tenant { id } } } } } } }`,
      { id: other.tenantId },
    );
    for (const { user } of data.tenant.members.nodes)
      assert.deepEqual(user.memberships, [{ tenant: { id: other.tenantId } }]);
  });

  it("take their open invitations with them when they lose the role for them", async () => {
    const { tenantId, leaving, lowered, kept, owner } = await stage({
      ...{ leaving: "ADMIN", lowered: "OWNER", kept: "OWNER", owner: "OWNER" },
    });
    const invite = async ({ ask }: Person, role: Role) => {
      const { data } = await ask(
        `mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { ... on InviteMemberPayload { invitation { id } } } }`,
        { input: { tenantId, email: `${crypto.randomUUID()}@example.com`, role } },
      );
      return data.inviteMember.invitation.id as string;
    };
    const made = {
      ofWhoLeft: await invite(leaving, "VIEWER"),
      aboveWhatRemained: await invite(lowered, "OWNER"),
      withinWhatRemained: await invite(lowered, "ADMIN"),
      ofAnother: await invite(kept, "OWNER"),
    };
    await run(owner.ask, "removeMember", { tenantId, userId: leaving.userId });
    await run(owner.ask, "updateMember", { tenantId, userId: lowered.userId, role: "ADMIN" });
    const rows = await hub.running.hub.platform.invitation.findMany({ where: { tenantId, revokedAt: { not: null } } });
    assert.deepEqual(rows.map(({ id }) => id).sort(), [made.ofWhoLeft, made.aboveWhatRemained].sort());
  });

  it("are changed in writing", async () => {
    const { tenantId, owner, other } = await stage({ owner: "OWNER", other: "VIEWER" });
    await run(owner.ask, "updateMember", { tenantId, userId: other.userId, role: "ADMIN" });
    await run(owner.ask, "removeMember", { tenantId, userId: other.userId });
    const rows = await hub.running.hub.platform.auditEvent.findMany({ where: { objectId: other.userId, tenantId } });
    assert.deepEqual(
      rows.map(({ verb, actorId, before, after }) => [verb, actorId, before, after]),
      [
        ["updateMember", owner.userId, { role: "VIEWER" }, { role: "ADMIN" }],
        ["removeMember", owner.userId, { role: "ADMIN" }, null],
      ],
    );
  });
});

describe("an account", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    hub = stack.use(await stageHub());
  });
  after(() => stack.disposeAsync());

  it("is called what its owner says, and nobody else's is", async () => {
    const [one, other] = [await stagePerson(hub), await stagePerson(hub)];
    const rename = (name: string) =>
      one.ask(
        `mutation ($input: UpdateViewerInput!) { updateViewer(input: $input) {
          ... on UpdateViewerPayload { viewer { id name } } ... on Failure { code }
        } }`,
        { input: { name } },
      );
    assert.deepEqual((await rename("  Ada  ")).data.updateViewer, { viewer: { id: one.userId, name: "Ada" } });
    assert.deepEqual((await rename("A\nB")).data.updateViewer, { code: "BAD_INPUT" });
    assert.equal((await other.ask("{ viewer { name } }")).data.viewer.name, "Staged");
  });

  it("is listed for operators with its parts in tenants, and leads them into none", async () => {
    const { ask, tenantId } = await stageTenant(hub);
    const someone = await stagePerson(hub, { tenantId, role: "MEMBER" });
    const list = `{ users(first: 1) { totalCount nodes { email memberships { tenantId tenantName role } } } }`;
    const { users } = (await ask(list)).data;
    assert.equal(users.totalCount, await hub.running.hub.platform.user.count());
    assert.deepEqual(users.nodes, [
      { email: someone.email, memberships: [{ tenantId, tenantName: "Acme", role: "MEMBER" }] },
    ]);
    assert.equal((await someone.ask(list)).errors?.[0]?.extensions?.code, "FORBIDDEN");
  });
});
