// Who is let in by password, and how often one may be tried.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { decodeJwt } from "jose";
import { resetPassword } from "../../domain/password-changes.ts";
import { signIn } from "../../domain/sessions.ts";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { mutation } from "./everything-of.ts";
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
    const least = { wrong: Number.POSITIVE_INFINITY, unknown: Number.POSITIVE_INFINITY };
    // In turns, so that whatever else this machine does slows both down.
    for (let n = 0; n < 30; n++)
      for (const [kind, email] of [["wrong", person.email] as const, ["unknown", "nobody@example.com"] as const]) {
        const begun = performance.now();
        await attempt(email, "wrong password of somebody");
        least[kind] = Math.min(least[kind], performance.now() - begun);
      }
    // Without a password to check, an answer takes a fifth of the time.
    assert.ok(Math.abs(least.unknown - least.wrong) < 5, JSON.stringify(least));
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

  it("answers what whoever signs in may see of themselves, although they were nobody when they asked", async () => {
    const { data } = await client(hub.graphqlUrl)(
      `mutation ($input: SignInInput!) { signIn(input: $input) { ... on SignInPayload {
        user { memberships { role tenant { id } } }
      } } }`,
      { input: { email: person.email, password: person.password } },
    );
    assert.deepEqual(data.signIn.user.memberships, [{ role: "ADMIN", tenant: { id: acme.tenantId } }]);
  });
});

describe("guessing a password", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    hub = stack.use(await stageHub({ passwordTries: 10 }));
  });
  after(() => stack.disposeAsync());

  const codes = (text: string) => [...text.matchAll(/"code":"([A-Z_]+)"/g)].map((match) => match[1]);
  const tenThenNoMore = [...Array(10).fill("SIGN_IN_FAILED"), ...Array(5).fill("RATE_LIMITED")];
  const guesses = (email: string, variables: object) =>
    sendOperation(hub.graphqlUrl, {
      query: `mutation ($password: String!) { ${Array.from(
        { length: 15 },
        (_, n) => `g${n}: signIn(input: { email: "${email}", password: $password }) { ... on Failure { code } }`,
      ).join(" ")} }`,
      variables,
    });

  it("is over after ten times, whether one by one or all in one document, for an account and for none", async () => {
    const { text } = await guesses("nobody@example.com", { password: "wrong password of somebody" });
    assert.deepEqual(codes(text), tenThenNoMore);
    const person = await stagePerson(hub);
    const seen: unknown[] = [];
    for (let n = 0; n < 11; n++) {
      const { text } = await sendOperation(hub.graphqlUrl, {
        query,
        variables: { email: ` ${person.email.toUpperCase()}`, password: "wrong password of somebody" },
      });
      seen.push(JSON.parse(text).data.signIn.code ?? "RATE_LIMITED");
    }
    // The staged person has signed in once.
    assert.deepEqual(seen, [...Array(9).fill("SIGN_IN_FAILED"), "RATE_LIMITED", "RATE_LIMITED"]);
  });

  it("then says nothing even of the right one", async () => {
    const person = await stagePerson(hub);
    await guesses(person.email, { password: "wrong password of somebody" });
    const { text } = await guesses(person.email, { password: person.password });
    assert.deepEqual(codes(text), Array(15).fill("RATE_LIMITED"));
    const { data } = await person.ask(mutation("changePassword"), {
      input: { currentPassword: person.password, newPassword: "another password" },
    });
    assert.equal(data.changePassword.code, "RATE_LIMITED");
  });

  it("is over after a hundred times from one public address, at however many accounts", async () => {
    const any = () => randomBytes(8).toString("hex");
    const tried = async (count: number, guess: () => Promise<unknown>) => {
      const seen = new Set<string>();
      for (let n = 0; n < count; n++) await guess().catch(({ code }) => seen.add(code));
      return [...seen];
    };
    const at = (address: string) => () => signIn(hub.running.hub, { email: any(), password: "" }, address);
    assert.deepEqual(await tried(100, at("198.41.0.4")), ["SIGN_IN_FAILED"]);
    assert.deepEqual(await tried(1, at("::ffff:198.41.0.4")), ["RATE_LIMITED"], "the same, written otherwise");
    assert.deepEqual(await tried(1, at("198.41.0.5")), ["SIGN_IN_FAILED"]);
    // Behind a proxy of one's own everybody has one address: it is nobody's.
    for (const address of ["198.41.0.4", "127.0.0.1", "10.1.2.3", "fd00::1", null]) {
      const reset = () => resetPassword(hub.running.hub, { token: any(), newPassword: "a new password" }, address);
      const expected = ["INVALID_TOKEN", ...(address === "198.41.0.4" ? ["RATE_LIMITED"] : [])];
      assert.deepEqual(await tried(101, reset), expected, String(address));
    }
  });

  it("by a token that somebody was handed is over after ten times too", async () => {
    for (const name of ["acceptInvitation", "refreshSession", "resetPassword", "signOut"]) {
      const input = { [name === "refreshSession" || name === "signOut" ? "refreshToken" : "token"]: `xv_${name}` };
      const extra = name === "resetPassword" ? { newPassword: "a new password" } : {};
      const seen: string[] = [];
      for (let n = 0; n < 11; n++) {
        const { data } = await client(hub.graphqlUrl)(mutation(name), { input: { ...input, ...extra } });
        seen.push(data[name].code);
      }
      assert.deepEqual(new Set(seen.slice(0, 10)).size, 1, name);
      assert.deepEqual(seen.at(-1), "RATE_LIMITED", name);
      assert.notEqual(seen[0], "RATE_LIMITED", name);
    }
  });
});
