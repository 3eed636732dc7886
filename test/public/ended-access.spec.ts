// Whoever is not let in any more is not let in at once, and is told nothing more on connections that are open: within five seconds.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { WebSocket } from "ws";
import type { Actor } from "../../domain/actor.ts";
import type { Live } from "../../schema/public/context.ts";
import { createAuthentication } from "../../server/authenticate.ts";
import { publicContexts } from "../../server/http/public-context.ts";
import { playWorker, testedSource } from "../private/played-worker.ts";
import { type Ask, client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { mutation } from "./everything-of.ts";
import { openSession, type Person, stagePerson } from "./people.ts";

const jwtSecret = randomBytes(32).toString("base64url");
const options = { jwtSecret, jwtPreviousSecrets: [], accessTokenMinutes: 60 };
const watch = `subscription ($id: ID!) { jobProgressed(jobId: $id) { job { status } } }`;

/** A way in, and what closes it. */
interface Access {
  readonly token: string;
  end(): Promise<unknown>;
}

describe("access that has ended", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let owner: Person;
  let source: string;
  before(async () => {
    hub = stack.use(await stageHub({ ...options, leaseSeconds: 600 }));
    acme = await stageTenant(hub);
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    source = await testedSource(acme, await playWorker(hub));
  });
  after(() => stack.disposeAsync());

  const member = () => stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
  const run = async (ask: Ask, name: string, input: object) => {
    const { data, errors } = await ask(mutation(name), { input });
    assert.match(data?.[name].__typename ?? errors?.[0]?.message, /Payload$/, name);
  };
  const anybody = () => client(hub.graphqlUrl);
  const session = async (person: Person) => ({ person, ...(await openSession(hub, person)) });

  async function apiKey(expiresAt?: Date) {
    const { data } = await owner.ask(
      `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
        ... on CreateApiKeyPayload { token apiKey { id } }
      } }`,
      { input: { tenantId: acme.tenantId, name: "Brief", role: "MEMBER", expiresAt } },
    );
    return { token: data.createApiKey.token as string, id: data.createApiKey.apiKey.id as string };
  }

  const ways: Record<string, () => Promise<Access>> = {
    "by removal from the tenant": async () => {
      const { token, userId } = await member();
      return { token, end: () => run(owner.ask, "removeMember", { tenantId: acme.tenantId, userId }) };
    },
    "by signing out": async () => {
      const { accessToken: token, refreshToken } = await session(await member());
      return { token, end: () => run(anybody(), "signOut", { refreshToken }) };
    },
    "by signing out everywhere": async () => {
      const { accessToken: token, person } = await session(await member());
      return { token, end: () => run(person.ask, "signOutEverywhere", {}) };
    },
    "by a new password": async () => {
      const { token, ask, password } = await member();
      const input = { currentPassword: password, newPassword: "the new password" };
      return { token, end: () => run(ask, "changePassword", input) };
    },
    "by a spent refresh token": async () => {
      const { accessToken: token, refreshToken } = await session(await member());
      await run(anybody(), "refreshSession", { refreshToken });
      return { token, end: () => anybody()(mutation("refreshSession"), { input: { refreshToken } }) };
    },
    "by the end of its token": async () => {
      const { token } = await member();
      const header = decodeProtectedHeader(token) as { alg: string };
      const brief = new SignJWT({ ...decodeJwt(token), exp: Math.floor(Date.now() / 1000) + 9 });
      return {
        token: await brief.setProtectedHeader(header).sign(new TextEncoder().encode(jwtSecret)),
        end: () => pause(9_000),
      };
    },
    "by revocation of a key": async () => {
      const { token, id } = await apiKey();
      return { token, end: () => run(owner.ask, "revokeApiKey", { apiKeyId: id }) };
    },
    "by the end of a key": async () => {
      const { token } = await apiKey(new Date(Date.now() + 9_000));
      return { token, end: () => pause(9_000) };
    },
  };

  /** What is told over SSE until the stream is over. */
  async function overSse(token: string, id: string): Promise<string> {
    const response = await fetch(hub.graphqlUrl, {
      method: "POST",
      headers: { accept: "text/event-stream", "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: watch, variables: { id } }),
      signal: AbortSignal.timeout(20_000),
    });
    return response.text();
  }

  /** The same over a WebSocket, until the subscription is completed or the socket closed. */
  async function overSocket(token: string, id: string): Promise<string> {
    const socket = createClient({
      url: hub.graphqlUrl.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    const seen: string[] = [];
    await new Promise<void>((resolve) => {
      socket.subscribe(
        { query: watch, variables: { id } },
        { next: (value) => seen.push(JSON.stringify(value)), error: () => resolve(), complete: resolve },
      );
    });
    await socket.dispose();
    return seen.join("\n");
  }

  it("is told nothing more of a job that it watched, over SSE and over WebSocket, however it ended", async () => {
    const id = await startJob(acme.ask, "testSource", source);
    const accesses = await Promise.all(Object.values(ways).map((open) => open()));
    const watching = accesses.map(({ token }) => [overSse(token, id), overSocket(token, id)]);
    const staying = [overSse(owner.token, id), overSocket(owner.token, id)];
    await pause(700);
    await Promise.all(accesses.map(({ end }) => end()));
    await pause(2_500);
    await run(acme.ask, "cancelJob", { jobId: id });
    for (const all of await Promise.all(staying)) assert.match(all, /"QUEUED"[\s\S]*"CANCELED"/);
    for (const [n, way] of Object.keys(ways).entries())
      for (const some of await Promise.all(watching[n] ?? [])) {
        assert.match(some, /"QUEUED"/, way);
        assert.doesNotMatch(some, /"CANCELED"/, way);
      }
  });

  describe("of whoever is in the middle of something", { concurrency: true }, () => {
    for (const [way, open] of Object.entries(ways))
      it(`${way} is known within five seconds to whatever is still going on`, async () => {
        const { token, end } = await open();
        const { currentActor } = await publicContexts({
          hub: hub.running.hub,
          authentication: createAuthentication(hub.running.hub, options),
          live: null as unknown as Live,
        })({ authorization: `Bearer ${token}`, address: null });
        const isIn = (actor: Actor | null) => actor?.kind !== "system" && (actor?.roles.has(acme.tenantId) ?? false);
        assert.ok(isIn(await currentActor()));
        await end();
        const begun = performance.now();
        while (isIn(await currentActor())) {
          assert.ok(performance.now() - begun < 5_000, "still in after five seconds");
          await pause(100);
        }
      });
  });

  for (const [way, open] of Object.entries(ways).filter(([name]) => !name.includes("the end of")))
    it(`${way} opens nothing with the next request`, async () => {
      const { token, end } = await open();
      const look = async () => {
        const { data, errors } = await client(hub.graphqlUrl, token)(`query ($id: ID!) { tenant(id: $id) { id } }`, {
          id: acme.tenantId,
        });
        return errors ? errors[0]?.extensions?.code : data.tenant;
      };
      assert.deepEqual(await look(), { id: acme.tenantId });
      await end();
      assert.ok([null, "UNAUTHENTICATED"].includes(await look()));
    });

  it("in part, by a lower role, ends on a socket that is open with the next thing asked", async () => {
    const { token, userId } = await stagePerson(hub, { tenantId: acme.tenantId, role: "ADMIN" });
    const socket = createClient({
      url: hub.graphqlUrl.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      lazy: false,
    });
    const create = async () => {
      const input = { tenantId: acme.tenantId, name: "New", secret: { password: "x" } };
      for await (const answer of socket.iterate({ query: mutation("createCredential"), variables: { input } }))
        return answer.errors ? answer.errors[0]?.extensions?.code : answer.data?.createCredential;
    };
    assert.deepEqual(await create(), { __typename: "CreateCredentialPayload" });
    await run(owner.ask, "updateMember", { tenantId: acme.tenantId, userId, role: "VIEWER" });
    assert.equal(await create(), "FORBIDDEN");
    await socket.dispose();
  });

  it("is no access over a WebSocket either: a key opens one, and no key that was revoked", async () => {
    const { token, id } = await apiKey();
    const knock = () =>
      new Promise<number | string>((resolve) => {
        const socket = createClient({
          url: hub.graphqlUrl.replace(/^http/, "ws"),
          webSocketImpl: WebSocket,
          connectionParams: { authorization: `Bearer ${token}` },
          retryAttempts: 0,
        });
        socket.subscribe(
          { query: "{ tenants { totalCount } }" },
          {
            next: ({ data }) => resolve(JSON.stringify(data)),
            error: (error) => resolve((error as CloseEvent).code),
            complete: () => void socket.dispose(),
          },
        );
      });
    assert.equal(await knock(), `{"tenants":{"totalCount":1}}`);
    await run(owner.ask, "revokeApiKey", { apiKeyId: id });
    assert.equal(await knock(), 4403);
  });
});
