// Sessions, from the first refresh token to the last: each works once, and what is stolen ends for both.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decodeJwt } from "jose";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { mutation } from "./everything-of.ts";
import { openSession, type Person, stagePerson, type Tokens } from "./people.ts";

describe("a session", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let person: Person;
  before(async () => {
    hub = stack.use(await stageHub({ sessionHours: 48 }));
    person = await stagePerson(hub);
  });
  after(() => stack.disposeAsync());

  const refresh = async (refreshToken: string) => {
    const { data } = await client(hub.graphqlUrl)(
      `mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) {
        ... on RefreshSessionPayload { accessToken refreshToken expiresAt refreshTokenExpiresAt user { email } }
        ... on Failure { code message }
      } }`,
      { input: { refreshToken } },
    );
    return data.refreshSession;
  };
  const signOut = async (refreshToken: string) =>
    (await client(hub.graphqlUrl)(mutation("signOut"), { input: { refreshToken } })).data.signOut.__typename;
  const isOpen = async (accessToken: string) => {
    const { errors } = await client(hub.graphqlUrl, accessToken)("{ viewer { id } }");
    if (errors) assert.equal(errors[0]?.extensions?.code, "UNAUTHENTICATED");
    return !errors;
  };
  const ended = { code: "SESSION_ENDED", message: "This session has ended: sign in again." };
  const open = (who: Person = person): Promise<Tokens> => openSession(hub, who);
  const platform = () => hub.running.hub.platform;

  it("goes on with each refresh token once, and slides", async () => {
    const first = await open();
    assert.match(first.refreshToken, /^xvr_[\w-]{43}$/);
    const second = await refresh(first.refreshToken);
    assert.equal(second.user.email, person.email);
    assert.notEqual(second.refreshToken, first.refreshToken);
    assert.equal(decodeJwt(second.accessToken).sid, decodeJwt(first.accessToken).sid);
    assert.ok(Math.abs(Date.parse(second.refreshTokenExpiresAt) - Date.now() - 48 * 3_600_000) < 60_000);
    const third = await refresh(second.refreshToken);
    for (const { accessToken } of [first, second, third]) assert.ok(await isOpen(accessToken));
  });

  it("ends as a whole when a spent token comes back, and leaves the others alone", async () => {
    const [stolen, other] = [await open(), await open()];
    const next = await refresh(stolen.refreshToken);
    assert.deepEqual(await refresh(stolen.refreshToken), ended);
    assert.deepEqual(await refresh(next.refreshToken), ended, "the newest token of the session");
    for (const { accessToken } of [stolen, next]) assert.equal(await isOpen(accessToken), false);
    assert.ok(await isOpen(other.accessToken));
    const { sid } = decodeJwt(stolen.accessToken);
    const rows = await platform().auditEvent.findMany({ where: { verb: "refreshSession", objectId: person.userId } });
    const reused = rows.flatMap(({ after }) => ((after as { reused?: boolean }).reused ? [after] : []));
    assert.deepEqual(reused, [{ session: sid, reused: true, ended: true }]);
  });

  it("ends when one token is used by many at once: one of them wins, for a moment", async () => {
    for (let round = 0; round < 5; round++) {
      const { refreshToken } = await open();
      const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(refreshToken)));
      const winners = answers.filter((answer) => "accessToken" in answer);
      assert.equal(winners.length, 1);
      assert.equal(await isOpen(winners[0].accessToken), false);
      assert.deepEqual(await refresh(winners[0].refreshToken), ended);
    }
  });

  it("is over when its time is, whether its token was used or not", async () => {
    const { accessToken, refreshToken } = await open();
    const familyId = decodeJwt(accessToken).sid as string;
    await platform().refreshToken.updateMany({ where: { familyId }, data: { expiresAt: new Date(Date.now() - 1) } });
    assert.deepEqual(await refresh(refreshToken), ended);
    // What has expired is forgotten with the next session.
    await open();
    assert.equal(await platform().refreshToken.count({ where: { familyId } }), 0);
  });

  it("refuses what is no token of its own with one answer", async () => {
    const { accessToken } = await open();
    for (const token of ["", "x", `xvr_${"A".repeat(43)}`, accessToken, "\0", "\ud83d"])
      assert.deepEqual(await refresh(token), ended, token);
  });

  it("ends with signing out, with any of its tokens, once, and no other does", async () => {
    const [one, other] = [await open(), await open()];
    const next = await refresh(one.refreshToken);
    assert.equal(await signOut(one.refreshToken), "SignOutPayload");
    assert.equal(await signOut(next.refreshToken), "SessionEndedError");
    assert.deepEqual(await refresh(next.refreshToken), ended);
    assert.deepEqual([await isOpen(next.accessToken), await isOpen(other.accessToken)], [false, true]);
  });

  it("ends with all others of the person on signing out everywhere, and nobody else's does", async () => {
    const [one, other, someone] = [await open(), await open(), await stagePerson(hub)];
    const everywhere = (input: object) =>
      client(hub.graphqlUrl, one.accessToken)(mutation("signOutEverywhere"), { input });
    assert.equal((await everywhere({ userId: someone.userId })).data.signOutEverywhere.code, "NOT_FOUND");
    assert.ok(await isOpen(someone.token));
    assert.equal((await everywhere({})).data.signOutEverywhere.__typename, "SignOutEverywherePayload");
    for (const { accessToken, refreshToken } of [one, other]) {
      assert.equal(await isOpen(accessToken), false);
      assert.deepEqual(await refresh(refreshToken), ended);
    }
    assert.ok(await isOpen(someone.token));
    assert.ok(await isOpen((await open()).accessToken), "a new one");
  });

  it("of anybody is ended by an operator", async () => {
    const someone = await stagePerson(hub);
    const { accessToken } = await openSession(hub, hub.owner);
    const input = { userId: someone.userId };
    const { data } = await client(hub.graphqlUrl, accessToken)(mutation("signOutEverywhere"), { input });
    assert.equal(data.signOutEverywhere.__typename, "SignOutEverywherePayload");
    assert.equal(await isOpen(someone.token), false);
    assert.ok(await isOpen(accessToken));
  });

  it("is all that is left after a change of the password, which only the old one allows", async () => {
    const someone = await stagePerson(hub);
    const other = await open(someone);
    const change = async (currentPassword: string, newPassword: string) =>
      (
        await someone.ask(
          `mutation ($input: ChangePasswordInput!) { changePassword(input: $input) {
            ... on ChangePasswordPayload { accessToken refreshToken } ... on Failure { code }
          } }`,
          { input: { currentPassword, newPassword } },
        )
      ).data.changePassword;
    assert.deepEqual(await change("wrong password of somebody", "the new password"), { code: "WRONG_PASSWORD" });
    assert.deepEqual(await change(someone.password, "short"), { code: "BAD_INPUT" });
    assert.ok(await isOpen(other.accessToken));
    const left = await change(someone.password, "the new password");
    for (const accessToken of [someone.token, other.accessToken]) assert.equal(await isOpen(accessToken), false);
    assert.deepEqual(await refresh(other.refreshToken), ended);
    assert.ok(await isOpen((await refresh(left.refreshToken)).accessToken));
    assert.equal((await openSession(hub, someone)).code, "SIGN_IN_FAILED");
    assert.ok((await openSession(hub, { ...someone, password: "the new password" })).accessToken);
  });

  it("leaves no token in the database, only what it hashes to", async () => {
    const { refreshToken } = await open();
    await refresh(refreshToken);
    const rows = JSON.stringify([await platform().refreshToken.findMany(), await platform().auditEvent.findMany()]);
    assert.ok(!rows.includes(refreshToken) && !rows.includes(refreshToken.slice(4, 20)));
  });
});

describe("somebody who has forgotten their password", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    hub = stack.use(await stageHub());
  });
  after(() => stack.disposeAsync());

  const askReset = async (email: string, token: string) =>
    client(hub.graphqlUrl, token)(
      `mutation ($input: CreatePasswordResetInput!) { createPasswordReset(input: $input) {
        ... on CreatePasswordResetPayload { token expiresAt } ... on Failure { code }
      } }`,
      { input: { email } },
    );
  const asOperator = async (email: string) =>
    (await askReset(email, (await openSession(hub, hub.owner)).accessToken)).data.createPasswordReset;
  const reset = async (token: string, newPassword = "the new password") =>
    (
      await client(hub.graphqlUrl)(
        `mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
          ... on ResetPasswordPayload { email } ... on Failure { code message }
        } }`,
        { input: { token, newPassword } },
      )
    ).data.resetPassword;
  const refused = { code: "INVALID_TOKEN", message: "This token does not work, or not any more: ask for a new one." };

  it("chooses a new one with the token an operator hands over, once, and is signed out everywhere", async () => {
    const someone = await stagePerson(hub);
    const { token, expiresAt } = await asOperator(` ${someone.email.toUpperCase()}`);
    assert.match(token, /^xvp_[\w-]{43}$/);
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 3_600_000) < 60_000);
    assert.equal((await reset(token, "short")).code, "BAD_INPUT");
    assert.deepEqual(await reset(token), { email: someone.email });
    assert.deepEqual(await reset(token), refused);
    assert.equal((await someone.ask("{ viewer { id } }")).errors?.[0]?.extensions?.code, "UNAUTHENTICATED");
    assert.ok((await openSession(hub, { ...someone, password: "the new password" })).accessToken);
  });

  it("cannot use a token that is unknown, expired or older than another, and cannot tell why", async () => {
    const someone = await stagePerson(hub);
    const { platform } = hub.running.hub;
    const [older, newer] = [await asOperator(someone.email), await asOperator(someone.email)];
    assert.deepEqual(await reset(older.token), refused);
    await platform.passwordReset.updateMany({
      where: { userId: someone.userId },
      data: { expiresAt: new Date(Date.now() - 1) },
    });
    for (const token of [newer.token, `xvp_${"A".repeat(43)}`, "", "\0"]) assert.deepEqual(await reset(token), refused);
    assert.ok((await openSession(hub, someone)).accessToken, "the password is what it was");
    const rows = JSON.stringify([await platform.passwordReset.findMany(), await platform.auditEvent.findMany()]);
    assert.ok(!rows.includes(newer.token.slice(4)));
  });

  it("uses a token once, however many try at the same moment", async () => {
    const someone = await stagePerson(hub);
    const { token } = await asOperator(someone.email);
    const answers = await Promise.all(
      ["one password more", "another password", "a third password"].map((each) => reset(token, each)),
    );
    assert.equal(answers.filter((answer) => "email" in answer).length, 1);
  });

  it("gets no token from anybody but an operator, who is told of addresses without an account", async () => {
    const someone = await stagePerson(hub);
    const { errors } = await askReset(someone.email, someone.token);
    assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
    assert.deepEqual(await asOperator("nobody@example.com"), { code: "NOT_FOUND" });
  });
});
