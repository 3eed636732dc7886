// Who is let in, and with what: passwords, and the tokens that stand for them afterwards.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { decodeJwt, type JWTPayload, SignJWT } from "jose";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Person, type Sent, sendOperation, stagePerson } from "./people.ts";

const jwtSecret = randomBytes(32).toString("base64url");
const query = `mutation ($email: String!, $password: String!) {
  signIn(input: { email: $email, password: $password }) {
    ... on SignInPayload { accessToken expiresAt user { email platformAdmin } } ... on SignInFailedError { code message }
  }
}`;

describe("signing in", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;

  before(async () => {
    hub = stack.use(await stageHub({ jwtSecret, accessTokenMinutes: 120 }));
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "ADMIN" });
  });
  after(() => stack.disposeAsync());

  const attempt = (email: string, password: string): Promise<Sent> =>
    sendOperation(hub.graphqlUrl, { query, variables: { email, password } });

  it("answers a token for the right password, for as long as the terms say", async () => {
    const { data } = JSON.parse((await attempt(person.email, person.password)).text);
    const { accessToken, expiresAt, user } = data.signIn;
    assert.deepEqual(user, { email: person.email, platformAdmin: false });
    const seconds = (decodeJwt(accessToken).exp ?? 0) - (decodeJwt(accessToken).iat ?? 0);
    assert.ok(Math.abs(seconds - 7_200) <= 1);
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 7_200_000) < 60_000);
  });

  it("does not mind how the address is written", async () => {
    assert.match((await attempt(` ${person.email.toUpperCase()} `, person.password)).text, /accessToken/);
  });

  it("answers a wrong password and an unknown address with the same bytes", async () => {
    const answers = await Promise.all([
      attempt(person.email, "wrong password of somebody"),
      attempt("nobody@example.com", person.password),
      attempt("", ""),
      attempt(person.email, person.password.toUpperCase()),
      attempt(`${person.email}\0`, person.password),
      attempt("x".repeat(10_000), "y".repeat(10_000)),
    ]);
    const expected = `{"data":{"signIn":{"code":"SIGN_IN_FAILED","message":"The e-mail address or the password is wrong."}}}`;
    for (const { status, text } of answers) assert.deepEqual([status, text], [200, expected]);
  });

  it("takes as long for an unknown address as for a wrong password", async () => {
    const timed = async (email: string) => {
      let least = Number.POSITIVE_INFINITY;
      for (let n = 0; n < 8; n++) {
        const begun = performance.now();
        await attempt(email, "wrong password of somebody");
        least = Math.min(least, performance.now() - begun);
      }
      return least;
    };
    const [wrong, unknown] = [await timed(person.email), await timed("nobody@example.com")];
    // Without a password to check, an answer takes a fifth of the time.
    assert.ok(unknown > wrong / 2, `${unknown} ms for an unknown address, ${wrong} ms for a wrong password`);
  });

  it("is written down, and failing is not", async () => {
    const { db } = hub.running.hub;
    const count = () => db.auditEvent.count({ where: { verb: "signIn", objectId: person.userId } });
    const before = await count();
    await attempt(person.email, "wrong password of somebody");
    assert.equal(await count(), before);
    await attempt(person.email, person.password);
    assert.equal(await count(), before + 1);
  });

  describe("leaves a token that", () => {
    const viewer = (token: string) => client(hub.graphqlUrl, token)("{ viewer { email } }");
    const now = () => Math.floor(Date.now() / 1000);
    const claims = () => ({
      sub: person.userId,
      gen: 0,
      iss: "xvault",
      aud: "xvault-api",
      iat: now(),
      exp: now() + 600,
    });
    const sign = (payload: object, { secret = jwtSecret, alg = "HS256" } = {}) =>
      new SignJWT(payload as JWTPayload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

    it("opens the door", async () => {
      assert.deepEqual((await viewer(await sign(claims()))).data, { viewer: { email: person.email } });
      assert.deepEqual((await viewer(person.token)).data, { viewer: { email: person.email } });
    });

    const forgeries: [what: string, token: () => string | Promise<string>][] = [
      ["has expired", () => sign({ ...claims(), iat: now() - 7_200, exp: now() - 60 })],
      ["is not valid yet", () => sign({ ...claims(), nbf: now() + 120 })],
      [
        "was tampered with",
        async () => {
          const [head, , tail] = (await sign(claims())).split(".");
          return `${head}.${encoded({ ...claims(), sub: "usr_00000000000000000000000000000000" })}.${tail}`;
        },
      ],
      ["has no signature", () => `${encoded({ alg: "none", typ: "JWT" })}.${encoded(claims())}.`],
      [
        "has an empty algorithm and a right signature",
        () => {
          const body = `${encoded({ alg: "", typ: "JWT" })}.${encoded(claims())}`;
          return `${body}.${createHmac("sha256", jwtSecret).update(body).digest("base64url")}`;
        },
      ],
      ["is signed with another algorithm", () => sign(claims(), { alg: "HS512" })],
      ["is signed with another secret", () => sign(claims(), { secret: randomBytes(32).toString("base64url") })],
      ["comes from another issuer", () => sign({ ...claims(), iss: "elsewhere" })],
      ["is meant for somebody else", () => sign({ ...claims(), aud: "elsewhere" })],
      ["never expires", () => sign({ ...claims(), exp: undefined })],
      ["names no issuer", () => sign({ ...claims(), iss: undefined })],
      ["names nobody", () => sign({ ...claims(), sub: undefined })],
      ["names somebody unknown", () => sign({ ...claims(), sub: "usr_00000000000000000000000000000000" })],
      ["is of no generation", () => sign({ ...claims(), gen: undefined })],
      ["is of an earlier generation", () => sign({ ...claims(), gen: -1 })],
      ["is no token", () => "x".repeat(100)],
    ];
    for (const [what, token] of forgeries)
      it(`opens nothing where it ${what}`, async () => {
        const { data, errors } = await viewer(await token());
        assert.equal(data?.viewer ?? null, null);
        assert.deepEqual(
          errors?.map(({ message, extensions }) => [message, extensions]),
          [["Sign in first.", { code: "UNAUTHENTICATED" }]],
        );
      });

    it("opens nothing in an address, only in the header", async () => {
      const { text } = await sendOperation(`${hub.graphqlUrl}?authorization=Bearer%20${person.token}`, {
        query: "{ viewer { email } }",
      });
      assert.equal(JSON.parse(text).errors[0].extensions.code, "UNAUTHENTICATED");
    });

    it("opens nothing of a tenant from the moment its bearer has no part there", async () => {
      const { db } = hub.running.hub;
      const leaving = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
      const look = () =>
        leaving.ask(`query ($id: ID!) { tenant(id: $id) { name } tenants { totalCount } }`, { id: acme.tenantId });
      assert.deepEqual((await look()).data, { tenant: { name: "Acme" }, tenants: { totalCount: 1 } });
      await db.membership.delete({
        where: { tenantId_userId: { tenantId: acme.tenantId, userId: leaving.userId } },
      });
      assert.deepEqual((await look()).data, { tenant: null, tenants: { totalCount: 0 } });
      const { data } = await leaving.ask(
        `mutation ($input: CreateCredentialInput!) { createCredential(input: $input) { ... on Failure { code } } }`,
        { input: { tenantId: acme.tenantId, name: "late", secret: { password: "x" } } },
      );
      assert.deepEqual(data.createCredential, { code: "NOT_FOUND" });
    });

    it("opens less from the moment its bearer's role is lowered, and nothing once their account is gone", async () => {
      const { db } = hub.running.hub;
      const lowered = await stagePerson(hub, { tenantId: acme.tenantId, role: "ADMIN" });
      await db.membership.updateMany({ where: { userId: lowered.userId }, data: { role: "VIEWER" } });
      const { errors } = await lowered.ask(
        `mutation ($input: CreateCredentialInput!) { createCredential(input: $input) { ... on Failure { code } } }`,
        { input: { tenantId: acme.tenantId, name: "late", secret: { password: "x" } } },
      );
      assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
      await db.user.update({ where: { id: lowered.userId }, data: { tokenGeneration: 1 } });
      assert.equal((await viewer(lowered.token)).errors?.[0]?.extensions?.code, "UNAUTHENTICATED");
      await db.user.delete({ where: { id: lowered.userId } });
      assert.equal((await viewer(lowered.token)).errors?.[0]?.extensions?.code, "UNAUTHENTICATED");
    });
  });
});
