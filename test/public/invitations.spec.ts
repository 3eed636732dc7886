// How people come into a tenant: by a token that somebody who may handed them, once.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { Role } from "../../prisma/client/client.ts";
import { type Ask, client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { openSession, type Person, stagePerson } from "./people.ts";

const roles = ["VIEWER", "MEMBER", "ADMIN", "OWNER"] as const;
const refused = { code: "INVALID_TOKEN", message: "This token does not work, or not any more: ask for a new one." };

describe("an invitation", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let owner: Person;
  before(async () => {
    hub = stack.use(await stageHub());
    acme = await stageTenant(hub);
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
  });
  after(() => stack.disposeAsync());

  const invite = async (ask: Ask, email: string, role: Role = "MEMBER") => {
    const { data, errors } = await ask(
      `mutation ($input: InviteMemberInput!) { inviteMember(input: $input) {
        ... on InviteMemberPayload { token invitation { id email role expiresAt acceptedAt revokedAt invitedBy } }
        ... on Failure { code }
      } }`,
      { input: { tenantId: acme.tenantId, email, role } },
    );
    return errors ? { code: errors[0]?.extensions?.code } : data.inviteMember;
  };
  const accept = async (input: { token: string; name?: string; password?: string }, bearer?: string) => {
    const { data } = await client(hub.graphqlUrl, bearer)(
      `mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) {
        ... on AcceptInvitationPayload { tenantId role session { accessToken refreshToken user { email name } } }
        ... on Failure { code message }
      } }`,
      { input },
    );
    return data.acceptInvitation;
  };
  const revoke = async (invitationId: string) =>
    (
      await owner.ask(
        `mutation ($input: RevokeInvitationInput!) { revokeInvitation(input: $input) {
          ... on RevokeInvitationPayload { invitation { acceptedAt revokedAt } } ... on Failure { code }
        } }`,
        { input: { invitationId } },
      )
    ).data.revokeInvitation;
  const someone = () => `${randomUUID()}@example.com`;
  const roleOf = async (userId: string) =>
    (await hub.running.hub.platform.membership.findFirst({ where: { tenantId: acme.tenantId, userId } }))?.role;
  const account = { name: "Ada", password: "a password of hers" };

  it("lets in whoever has no account yet, makes it, and signs them in", async () => {
    const email = someone();
    const { token, invitation } = await invite(owner.ask, ` ${email.toUpperCase()} `, "ADMIN");
    assert.match(token, /^xvi_[\w-]{43}$/);
    const { id: _, expiresAt, ...facts } = invitation;
    assert.deepEqual(facts, { email, role: "ADMIN", acceptedAt: null, revokedAt: null, invitedBy: owner.userId });
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 7 * 86_400_000) < 60_000);
    assert.equal((await accept({ token })).code, "BAD_INPUT");
    assert.equal((await accept({ token, ...account, password: "short" })).code, "BAD_INPUT");
    assert.equal((await accept({ token, password: account.password })).code, "BAD_INPUT");
    const { session, ...part } = await accept({ token, ...account });
    assert.deepEqual(part, { tenantId: acme.tenantId, role: "ADMIN" });
    assert.deepEqual(session.user, { email, name: "Ada" });
    const { data } = await client(hub.graphqlUrl, session.accessToken)(`{ tenants { nodes { id } } }`);
    assert.deepEqual(data.tenants.nodes, [{ id: acme.tenantId }]);
    assert.ok((await openSession(hub, { email, password: account.password })).accessToken);
  });

  it("lets in whoever has an account and is signed in to it, or knows its password, and nobody else", async () => {
    const [one, other, stranger] = [await stagePerson(hub), await stagePerson(hub), await stagePerson(hub)];
    const { token } = await invite(owner.ask, one.email);
    for (const attempt of [
      accept({ token }),
      accept({ token }, stranger.token),
      accept({ token, ...account }),
      accept({ token, password: stranger.password }, stranger.token),
    ])
      assert.equal((await attempt).code, "SIGN_IN_FAILED");
    assert.equal(await roleOf(one.userId), undefined);
    assert.deepEqual(await accept({ token }, one.token), { tenantId: acme.tenantId, role: "MEMBER", session: null });
    assert.deepEqual([await roleOf(one.userId), await roleOf(stranger.userId)], ["MEMBER", undefined]);
    const second = await invite(owner.ask, other.email);
    const { session } = await accept({ token: second.token, name: "Renamed?", password: other.password });
    assert.deepEqual(session.user, { email: other.email, name: "Staged" });
  });

  it("works once, however many try at the same moment", async () => {
    const { token } = await invite(owner.ask, someone());
    const answers = await Promise.all(Array.from({ length: 4 }, () => accept({ token, ...account })));
    assert.equal(answers.filter((answer) => "role" in answer).length, 1);
    assert.deepEqual(await accept({ token, ...account }), refused);
    const person = await stagePerson(hub);
    const second = await invite(owner.ask, person.email);
    const again = await Promise.all(Array.from({ length: 6 }, () => accept({ token: second.token }, person.token)));
    assert.deepEqual(again.map(({ code }) => code ?? "in").sort(), [...Array(5).fill("INVALID_TOKEN"), "in"]);
  });

  it("answers the same where it is unknown, used, revoked, expired or replaced", async () => {
    const { platform } = hub.running.hub;
    const [revoked, expired, email] = [
      await invite(owner.ask, someone()),
      await invite(owner.ask, someone()),
      someone(),
    ];
    const replaced = await invite(owner.ask, email);
    assert.ok((await invite(owner.ask, email)).token);
    assert.ok((await revoke(revoked.invitation.id)).invitation.revokedAt);
    await platform.invitation.update({
      where: { id: expired.invitation.id },
      data: { expiresAt: new Date(Date.now() - 1) },
    });
    for (const token of [revoked.token, expired.token, replaced.token, `xvi_${"A".repeat(43)}`, "", "\0", "\ud83d"])
      assert.deepEqual(await accept({ token, ...account }), refused, token);
  });

  it("that was accepted is not revoked, and one that was revoked stays so", async () => {
    const { token, invitation } = await invite(owner.ask, someone());
    await accept({ token, ...account });
    const { acceptedAt, revokedAt } = (await revoke(invitation.id)).invitation;
    assert.ok(acceptedAt && revokedAt === null);
    const other = await invite(owner.ask, someone());
    assert.deepEqual(await revoke(other.invitation.id), await revoke(other.invitation.id));
  });

  it("is made by admins and owners, for no role above their own, and for nobody who is there", async () => {
    for (const own of roles) {
      const person = await stagePerson(hub, { tenantId: acme.tenantId, role: own });
      for (const role of roles) {
        const allowed = roles.indexOf(own) >= roles.indexOf("ADMIN") && roles.indexOf(own) >= roles.indexOf(role);
        const { code } = await invite(person.ask, someone(), role);
        assert.equal(code, allowed ? undefined : "FORBIDDEN", `${own} invites ${role}`);
      }
    }
    assert.equal((await invite(owner.ask, owner.email.toUpperCase())).code, "ALREADY_MEMBER");
    assert.equal((await invite(owner.ask, "nobody")).code, "BAD_INPUT");
  });

  it("gives nobody another role who has one by then", async () => {
    const person = await stagePerson(hub);
    const { token } = await invite(owner.ask, person.email, "OWNER");
    await hub.running.hub.platform.membership.create({
      data: { tenantId: acme.tenantId, userId: person.userId, role: "VIEWER" },
    });
    assert.equal((await accept({ token }, person.token)).role, "VIEWER");
  });

  it("counts as a try of the password, where it is accepted with one", async () => {
    await using strict = await stageHub({ passwordTries: 3 });
    const { ask, tenantId } = await stageTenant(strict);
    const victim = await stagePerson(strict);
    const codes: string[] = [];
    for (let n = 0; n < 3; n++) {
      const made = await ask(
        `mutation ($input: InviteMemberInput!) { inviteMember(input: $input) { ... on InviteMemberPayload { token } } }`,
        { input: { tenantId, email: victim.email, role: "VIEWER" } },
      );
      const { data } = await client(strict.graphqlUrl)(
        `mutation ($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { ... on Failure { code } } }`,
        { input: { token: made.data.inviteMember.token, password: "a guess of somebody's" } },
      );
      codes.push(data.acceptInvitation.code);
    }
    assert.deepEqual(codes, ["SIGN_IN_FAILED", "SIGN_IN_FAILED", "RATE_LIMITED"]);
  });

  it("is listed for admins and owners, without its token, and is written down without it", async () => {
    const { token, invitation } = await invite(owner.ask, someone());
    const look = `query ($id: ID!, $invitation: ID!) {
      tenant(id: $id) { invitations(first: 1) { totalCount nodes { id } } } node(id: $invitation) { id }
    }`;
    for (const role of roles) {
      const { ask } = await stagePerson(hub, { tenantId: acme.tenantId, role });
      const { data, errors } = await ask(look, { id: acme.tenantId, invitation: invitation.id });
      if (role === "ADMIN" || role === "OWNER") {
        const totalCount = await hub.running.hub.platform.invitation.count({ where: { tenantId: acme.tenantId } });
        assert.deepEqual(data.tenant.invitations, { totalCount, nodes: [{ id: invitation.id }] });
        assert.deepEqual(data.node, { id: invitation.id });
      } else {
        assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
        const node = `query ($id: ID!) { node(id: $id) { id } }`;
        assert.deepEqual((await ask(node, { id: invitation.id })).data, { node: null });
      }
    }
    const { platform } = hub.running.hub;
    const rows = JSON.stringify([await platform.invitation.findMany(), await platform.auditEvent.findMany()]);
    assert.ok(!rows.includes(token.slice(4)) && !rows.includes(account.password));
  });
});
