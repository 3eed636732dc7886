// Which tokens open the door, and that nothing that only looks like one does.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from "jose";
import { createAuthentication } from "../../server/authenticate.ts";
import { readHubConfig } from "../../server/config.ts";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Person, sendOperation, stagePerson } from "./people.ts";

const jwtSecret = randomBytes(32).toString("base64url");
const formerSecret = randomBytes(32).toString("base64url");
const bytes = (secret: string) => new TextEncoder().encode(secret);
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);

describe("an access token", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;
  before(async () => {
    hub = stack.use(await stageHub({ jwtSecret, jwtPreviousSecrets: [formerSecret] }));
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "ADMIN" });
  });
  after(() => stack.disposeAsync());

  const viewer = (token: string) => client(hub.graphqlUrl, token)("{ viewer { email } }");
  const header = () => decodeProtectedHeader(person.token) as { alg: string; typ: string; kid: string };
  const claims = () => ({ ...decodeJwt(person.token), iat: now(), exp: now() + 600 });
  const sign = (payload: object, { secret = jwtSecret, head = {} }: { secret?: string; head?: object } = {}) =>
    new SignJWT(payload as JWTPayload).setProtectedHeader({ ...header(), ...head }).sign(bytes(secret));
  const spliced = (head: object, payload: object, hash: string, secret: string) => {
    const body = `${encoded(head)}.${encoded(payload)}`;
    return `${body}.${createHmac(hash, secret).update(body).digest("base64url")}`;
  };

  it("opens the door, says which key signed it and what it is, and nothing of roles", async () => {
    for (const token of [person.token, await sign(claims())])
      assert.deepEqual((await viewer(token)).data, { viewer: { email: person.email } });
    assert.deepEqual({ ...header(), kid: "" }, { alg: "HS256", typ: "at+jwt", kid: "" });
    assert.match(header().kid, /^[\w-]{16}$/);
    assert.deepEqual(Object.keys(claims()).sort(), ["aud", "exp", "gen", "iat", "iss", "sid", "sub"]);
  });

  const forgeries: [what: string, token: () => string | Promise<string>][] = [
    ["has expired", () => sign({ ...claims(), iat: now() - 700, exp: now() - 6 })],
    ["is older than any may be", () => sign({ ...claims(), iat: now() - 3_700, exp: now() + 600 })],
    ["is from the future", () => sign({ ...claims(), iat: now() + 60 })],
    ["is not valid yet", () => sign({ ...claims(), nbf: now() + 120 })],
    [
      "was tampered with",
      async () => {
        const [head, , tail] = (await sign(claims())).split(".");
        return `${head}.${encoded({ ...claims(), sub: "usr_00000000000000000000000000000000" })}.${tail}`;
      },
    ],
    ["has no signature", () => `${encoded({ ...header(), alg: "none" })}.${encoded(claims())}.`],
    [
      "has no signature and spells it otherwise",
      () => `${encoded({ ...header(), alg: "nOnE" })}.${encoded(claims())}.`,
    ],
    [
      "has an empty algorithm and a right signature",
      () => spliced({ ...header(), alg: "" }, claims(), "sha256", jwtSecret),
    ],
    [
      "names an asymmetric algorithm and is signed with the secret",
      () => spliced({ ...header(), alg: "RS256" }, claims(), "sha256", jwtSecret),
    ],
    [
      "is signed with a private key of somebody's own",
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ ...header(), alg: "RS256" })
          .sign(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey),
    ],
    [
      "brings its own key along",
      () =>
        sign(claims(), {
          secret: "x".repeat(32),
          head: { jwk: { kty: "oct", k: Buffer.from("x".repeat(32)).toString("base64url") } },
        }),
    ],
    ["is signed with another algorithm", () => sign(claims(), { head: { alg: "HS512" } })],
    ["is signed with another secret", () => sign(claims(), { secret: randomBytes(32).toString("base64url") })],
    ["is signed with a former secret under the present one's name", () => sign(claims(), { secret: formerSecret })],
    ["names no key", () => sign(claims(), { head: { kid: undefined } })],
    ["names an unknown key", () => sign(claims(), { head: { kid: "0".repeat(16) } })],
    [
      "names a file as its key",
      () => sign(claims(), { secret: "", head: { kid: "../../../../dev/null" } }).catch(() => "x.y.z".repeat(9)),
    ],
    [
      "names a file as its key, which is empty",
      () => spliced({ ...header(), kid: "../../../../dev/null" }, claims(), "sha256", ""),
    ],
    ["names a key as a query would", () => sign(claims(), { head: { kid: "' UNION SELECT 'x" } })],
    ["is of another kind", () => sign(claims(), { head: { typ: "JWT" } })],
    ["is of no kind", () => sign(claims(), { head: { typ: undefined } })],
    ["comes from another issuer", () => sign({ ...claims(), iss: "elsewhere" })],
    ["names no issuer", () => sign({ ...claims(), iss: undefined })],
    ["is meant for somebody else", () => sign({ ...claims(), aud: "elsewhere" })],
    ["is meant for others too", () => sign({ ...claims(), aud: ["xvault-api", "elsewhere"] })],
    ["is meant for nobody", () => sign({ ...claims(), aud: undefined })],
    ["never expires", () => sign({ ...claims(), exp: undefined })],
    ["does not say since when", () => sign({ ...claims(), iat: undefined })],
    ["names nobody", () => sign({ ...claims(), sub: undefined })],
    ["names somebody unknown", () => sign({ ...claims(), sub: "usr_00000000000000000000000000000000" })],
    ["is of no generation", () => sign({ ...claims(), gen: undefined })],
    ["is of an earlier generation", () => sign({ ...claims(), gen: -1 })],
    ["is of no session", () => sign({ ...claims(), sid: undefined })],
    ["is of an unknown session", () => sign({ ...claims(), sid: "rft_00000000000000000000000000000000" })],
    [
      "is of somebody else's session",
      async () => sign({ ...claims(), sid: decodeJwt((await stagePerson(hub)).token).sid }),
    ],
    ["claims a tenant", () => sign({ ...claims(), tenant: acme.tenantId })],
    ["claims roles", () => sign({ ...claims(), roles: { [acme.tenantId]: "OWNER" } })],
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
    assert.equal(JSON.parse(text).errors[0].extensions.code, "BAD_REQUEST");
  });

  it("signed with a secret from before the last change still opens the door, and no new one is signed with it", async () => {
    const former = createAuthentication(hub.running.hub, {
      ...{ jwtSecret: formerSecret, jwtPreviousSecrets: [], accessTokenMinutes: 15 },
    });
    const { db } = hub.running.hub;
    const { sid } = decodeJwt(person.token) as { sid: string };
    const { accessToken } = await former.issue({
      user: await db.user.findUniqueOrThrow({ where: { id: person.userId } }),
      ...{ familyId: sid, refreshToken: "", refreshTokenExpiresAt: new Date(Date.now() + 3_600_000) },
    });
    assert.notEqual(decodeProtectedHeader(accessToken).kid, header().kid);
    assert.deepEqual((await viewer(accessToken)).data, { viewer: { email: person.email } });
    // The hub of before does not know the new secret.
    assert.equal(await former.identify(`Bearer ${person.token}`), null);
  });

  it("lasts a quarter of an hour, and a session thirty days, unless the operator says otherwise", () => {
    const env = {
      DATABASE_URL: "postgres://localhost/xvault",
      REDIS_URL: "redis://localhost",
      HUB_JWT_SECRET: jwtSecret,
      HUB_ENCRYPTION_KEK: randomBytes(32).toString("base64"),
    };
    const { accessTokenMinutes, sessionHours, passwordTries, jwtPreviousSecrets } = readHubConfig(env);
    assert.deepEqual([accessTokenMinutes, sessionHours, passwordTries, jwtPreviousSecrets], [15, 720, 10, []]);
    const HUB_JWT_PREVIOUS_SECRETS = ` ${formerSecret}, ${jwtSecret}`;
    assert.deepEqual(readHubConfig({ ...env, HUB_JWT_PREVIOUS_SECRETS }).jwtPreviousSecrets, [formerSecret, jwtSecret]);
    assert.throws(() => readHubConfig({ ...env, HUB_JWT_PREVIOUS_SECRETS: "short" }), /at least 32 characters/);
  });
});
