import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { connectHub } from "../../clients/hub/hub-client.ts";
import { HubError } from "../../clients/hub/hub-error.ts";

interface Request {
  readonly headers: IncomingMessage["headers"];
  readonly url: string | undefined;
  readonly body: { readonly query: string; readonly variables: { readonly input: unknown } };
}

/** Answers with one of `answers` after the other; the last one stays. */
async function stageAnswers(...answers: ((response: ServerResponse) => void)[]) {
  const requests: Request[] = [];
  const server = createServer(async (request, response) => {
    requests.push({ headers: request.headers, url: request.url, body: JSON.parse(await text(request)) });
    (answers[requests.length - 1] ?? answers.at(-1))?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    baseUrl,
    hub: connectHub({ baseUrl, token: "the token" }),
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const lease = { jobId: "job_1", leaseEpoch: 3 };
const json = (status: number, body: unknown) => (response: ServerResponse) => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};
const renewed = json(200, { data: { renewLease: { leaseSeconds: 60, cancelRequested: false } } });
const refused = (code: string, status = 200) =>
  json(status, { data: null, errors: [{ message: "no", extensions: { code } }] });
const hangUp = (response: ServerResponse) => response.destroy();
const code = (expected: string) => (error: unknown) => error instanceof HubError && error.code === expected;

describe("the hub client", () => {
  it("asks the private surface with its token, and answers what the hub answered", async () => {
    await using stage = await stageAnswers(renewed);
    assert.deepEqual(await stage.hub.renewLease(lease), { leaseSeconds: 60, cancelRequested: false });
    const [request] = stage.requests;
    assert.equal(request?.headers.authorization, "Bearer the token");
    assert.equal(request?.url, "/internal/graphql");
    assert.deepEqual(request?.body.variables, { input: lease });
    assert.match(request?.body.query ?? "", /^mutation RenewLease/);
  });

  it("throws the hub's own code", async () => {
    for (const each of ["LEASE_LOST", "UNAUTHENTICATED", "UPGRADE_REQUIRED"]) {
      await using stage = await stageAnswers(refused(each));
      await assert.rejects(stage.hub.renewLease(lease, { retryForMs: 5_000 }), code(each));
      assert.equal(stage.requests.length, 1, "an answer that stands is not asked for again");
    }
  });

  it("knows a refused token, and an answer that is none", async () => {
    await using locked = await stageAnswers((response) => response.writeHead(401).end("no"));
    await assert.rejects(locked.hub.renewLease(lease), code("UNAUTHENTICATED"));
    await using strange = await stageAnswers((response) => response.writeHead(200).end("<html>"));
    await assert.rejects(strange.hub.renewLease(lease), code("BAD_ANSWER"));
  });

  it("asks once, unless it is told for how long to try", async () => {
    await using stage = await stageAnswers(hangUp);
    await assert.rejects(stage.hub.renewLease(lease), code("UNREACHABLE"));
    assert.equal(stage.requests.length, 1);
  });

  it("tries again while the hub is away or stumbles", async () => {
    const away = (response: ServerResponse) => response.writeHead(503).end();
    await using stage = await stageAnswers(hangUp, away, refused("INTERNAL"), renewed);
    assert.equal((await stage.hub.renewLease(lease, { retryForMs: 30_000 })).leaseSeconds, 60);
    assert.equal(stage.requests.length, 4);
  });

  it("gives up when its time is over", async () => {
    const hub = connectHub({ baseUrl: "http://127.0.0.1:1", token: "the token" });
    const startedAt = performance.now();
    await assert.rejects(hub.renewLease(lease, { retryForMs: 600 }), code("UNREACHABLE"));
    assert.ok(performance.now() - startedAt < 5_000);
  });

  it("ends at once with the reason of its caller's signal", async () => {
    await using stage = await stageAnswers(() => undefined);
    const stop = new AbortController();
    const reason = new Error("the lease is lost");
    setTimeout(() => stop.abort(reason), 50);
    await assert.rejects(stage.hub.renewLease(lease, { signal: stop.signal, retryForMs: 30_000 }), reason);
  });

  it("does not take its token to where it is redirected", async () => {
    await using elsewhere = await stageAnswers(renewed);
    const location = `${elsewhere.baseUrl}/internal/graphql`;
    await using stage = await stageAnswers((response) => response.writeHead(307, { location }).end());
    await assert.rejects(stage.hub.renewLease(lease), code("UNREACHABLE"));
    assert.equal(elsewhere.requests.length, 0);
  });
});
