// What people and programs sign in with is handed over once, and kept nowhere: only what proves it later is.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { client } from "../stage/client.ts";
import { stageHub } from "../stage/hub.ts";
import { missingPostgres15, stagePostgres15 } from "../stage/peers/postgres-15.ts";
import { stageTenant } from "../stage/tenant.ts";
import { assertAbsent } from "./absent.ts";

describe("passwords and tokens", { skip: missingPostgres15 ?? false }, () => {
  it("are in no database dump, no Redis traffic, no log and no later answer, right ones and wrong ones", async () => {
    await using postgres = await stagePostgres15();
    await using hub = await stageHub({ databaseUrl: postgres.url });
    await using watching = new AsyncDisposableStack();
    const redisTraffic: string[] = [];
    const spy = new Redis(hub.redis.url);
    watching.defer(() => spy.disconnect());
    const monitor = await spy.monitor();
    watching.defer(() => monitor.disconnect());
    monitor.on("monitor", (_time: string, args: string[]) => redisTraffic.push(args.join(" ")));
    const acme = await stageTenant(hub);
    const ask = client(hub.graphqlUrl);
    const of = async (answer: ReturnType<typeof ask>, field: string) => {
      const { data, errors } = await answer;
      assert.ok(data?.[field], errors?.[0]?.message ?? field);
      return data[field];
    };

    const [first, second, wrong] = ["canary password one", "canary password two", "canary password three"];
    const email = "invited@example.com";
    const invitation = await of(
      acme.ask(
        `mutation ($tenantId: ID!, $email: String!) { inviteMember(input: { tenantId: $tenantId, email: $email, role: ADMIN }) {
          ... on InviteMemberPayload { token }
        } }`,
        { tenantId: acme.tenantId, email },
      ),
      "inviteMember",
    );
    const { session } = await of(
      ask(
        `mutation ($token: String!, $password: String!) { acceptInvitation(input: { token: $token, name: "Ann", password: $password }) {
          ... on AcceptInvitationPayload { session { accessToken refreshToken } }
        } }`,
        { token: invitation.token, password: first },
      ),
      "acceptInvitation",
    );
    const refreshed = await of(
      ask(
        `mutation ($refreshToken: String!) { refreshSession(input: { refreshToken: $refreshToken }) {
          ... on RefreshSessionPayload { accessToken refreshToken }
        } }`,
        session,
      ),
      "refreshSession",
    );
    const ann = client(hub.graphqlUrl, refreshed.accessToken);
    const apiKey = await of(
      ann(
        `mutation ($tenantId: ID!) { createApiKey(input: { tenantId: $tenantId, name: "CI", role: VIEWER }) {
          ... on CreateApiKeyPayload { token }
        } }`,
        { tenantId: acme.tenantId },
      ),
      "createApiKey",
    );
    const reset = await of(
      acme.ask(
        `mutation ($email: String!) { createPasswordReset(input: { email: $email }) { ... on CreatePasswordResetPayload { token } } }`,
        { email },
      ),
      "createPasswordReset",
    );
    await of(
      ask(
        `mutation ($token: String!, $newPassword: String!) { resetPassword(input: { token: $token, newPassword: $newPassword }) {
          ... on ResetPasswordPayload { email }
        } }`,
        { token: reset.token, newPassword: second },
      ),
      "resetPassword",
    );
    const signIn = `mutation ($email: String!, $password: String!) { signIn(input: { email: $email, password: $password }) {
      ... on SignInPayload { accessToken refreshToken } ... on Failure { code }
    } }`;
    assert.equal((await of(ask(signIn, { email, password: wrong }), "signIn")).code, "SIGN_IN_FAILED");
    const back = await of(ask(signIn, { email, password: second }), "signIn");
    const program = client(hub.graphqlUrl, apiKey.token);
    assert.ok((await of(program("{ tenants { totalCount } }"), "tenants")).totalCount === 1);

    const secrets = {
      "first password": first,
      "second password": second,
      "wrong password": wrong,
      invitation: invitation.token,
      "first access token": session.accessToken,
      "first refresh token": session.refreshToken,
      "second refresh token": refreshed.refreshToken,
      "API key": apiKey.token,
      "password reset": reset.token,
      "last access token": back.accessToken,
      "last refresh token": back.refreshToken,
    };
    const dump = await postgres.dump();
    assert.match(dump, /INSERT INTO public\.refresh_tokens/, "the dump holds the rows");
    assertAbsent(secrets, "the database's dump", dump);
    assertAbsent(secrets, "the traffic of Redis", redisTraffic.join("\n"));
    assertAbsent(secrets, "the hub's log", hub.lines.join("\n"));
    const later = await client(hub.graphqlUrl, back.accessToken)(
      `query ($id: ID!) { viewer { email memberships { role } } tenant(id: $id) {
        apiKeys { nodes { name prefix } } invitations { nodes { email } } members { nodes { user { email } } }
      } }`,
      { id: acme.tenantId },
    );
    assert.equal(later.data.tenant.apiKeys.nodes.length, 1, JSON.stringify(later));
    assertAbsent(secrets, "later answers", JSON.stringify(later));
  });
});
