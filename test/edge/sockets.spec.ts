// What becomes of sockets that do not keep to the protocol, and of too many of them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type ClientOptions, WebSocket } from "ws";
import { type Person, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const limits = { operationsPerSocket: 20, socketsPerUser: 4, streamsPerUser: 3, connections: 60 };

describe("a socket", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;
  let jobId: string;
  let url: string;

  before(async () => {
    hub = stack.use(await stageHub({ edge: limits, corsOrigins: ["https://dashboard.example.com"] }));
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    const config = { host: "127.0.0.1", port: 22, username: "x", path: "/srv" };
    const source = await acme.createSftpSource(config, await acme.createCredential({ password: "x" }));
    jobId = await startJob(acme.ask, "testSource", source);
    url = hub.graphqlUrl.replace("http:", "ws:");
  });
  after(() => stack.disposeAsync());

  const say = (socket: WebSocket, message: unknown) => socket.send(JSON.stringify(message));
  const params = () => ({ authorization: `Bearer ${person.token}` });

  async function open(
    options: ClientOptions = {},
    protocol: string | string[] = "graphql-transport-ws",
  ): Promise<WebSocket> {
    const socket = new WebSocket(url, protocol, options);
    await once(socket, "open");
    return socket;
  }
  async function signedIn(payload: object = params()) {
    const socket = await open();
    const said: { id?: string; type: string; payload?: unknown }[] = [];
    socket.on("message", (text) => said.push(JSON.parse(String(text))));
    say(socket, { type: "connection_init", payload });
    await Promise.race([once(socket, "message"), once(socket, "close")]);
    return { socket, said };
  }
  async function closeCode(socket: WebSocket): Promise<number> {
    const [code] = await once(socket, "close", { signal: AbortSignal.timeout(8_000) });
    return code;
  }
  const subscription = (id: string) => ({
    id,
    type: "subscribe",
    payload: { query: `subscription ($id: ID!) { jobProgressed(jobId: $id) { cursor } }`, variables: { id: jobId } },
  });
  const isAnswered = async () => assert.ok((await person.ask("{ viewer { id } }")).data.viewer.id);

  it("that says nothing for three seconds is closed with 4408", async () => {
    const began = performance.now();
    assert.equal(await closeCode(await open()), 4408);
    const took = performance.now() - began;
    assert.ok(took > 2_500 && took < 4_500, `${took} ms`);
  });

  it("with a bad token, or none, is closed with 4403", async () => {
    for (const payload of [
      { authorization: "Bearer nonsense-nonsense-nonsense" },
      { authorization: 1 },
      {},
      null,
      "x",
    ]) {
      const socket = await open();
      say(socket, { type: "connection_init", payload });
      assert.equal(await closeCode(socket), payload === "x" ? 4400 : 4403, JSON.stringify(payload));
    }
  });

  it("that asks before it is let in is closed with 4401", async () => {
    const socket = await open();
    say(socket, subscription("1"));
    assert.equal(await closeCode(socket), 4401);
  });

  it("that uses an id twice is closed with 4409, that greets twice with 4429", async () => {
    const first = await signedIn();
    say(first.socket, subscription("same"));
    say(first.socket, subscription("same"));
    assert.equal(await closeCode(first.socket), 4409);
    const second = await signedIn();
    say(second.socket, { type: "connection_init", payload: params() });
    assert.equal(await closeCode(second.socket), 4429);
  });

  it("that sends more than 256 KiB at once is closed with 1009", async () => {
    const { socket } = await signedIn();
    say(socket, { type: "ping", payload: { text: "x".repeat(4 * 1024 * 1024) } });
    assert.equal(await closeCode(socket), 1009);
  });

  it("that speaks no JSON, or of nothing known, is closed with 4400; another protocol with 4406", async () => {
    const deep = `{"type":"ping","payload":{"x":${"[".repeat(20_000)}${"]".repeat(20_000)}}}`;
    for (const text of ["{", "null", "[]", `{"type":"stop"}`, `{"type":"subscribe","id":1}`, "\0", deep]) {
      const { socket } = await signedIn();
      socket.send(text);
      assert.equal(await closeCode(socket), 4400, text.slice(0, 50));
    }
    const other = await open({}, []);
    assert.equal(await closeCode(other), 4406);
  });

  it("of a page of somebody else, or with a token in its address, never opens", async () => {
    const refused = async (address: string, options: ClientOptions) => {
      const socket = new WebSocket(address, "graphql-transport-ws", options);
      const [, response] = await once(socket, "unexpected-response");
      socket.on("error", () => undefined).terminate();
      return response.statusCode;
    };
    for (const origin of ["https://evil.example", "null", "https://dashboard.example.com.evil.example"])
      assert.equal(await refused(url, { origin }), 403, origin);
    assert.equal(await refused(`${url}?access_token=${person.token}`, {}), 400);
    for (const origin of ["https://dashboard.example.com", new URL(hub.graphqlUrl).origin])
      (await open({ origin })).terminate();
  });

  it("has at most twenty operations at once; one more is told so, and the others go on", async () => {
    const { socket, said } = await signedIn();
    for (let n = 0; n < 25; n++) say(socket, subscription(String(n)));
    const deadline = performance.now() + 5_000;
    while (said.length < 26 && performance.now() < deadline) await pause(20);
    const refused = said.filter(({ type }) => type === "error");
    assert.equal(refused.length, 5);
    assert.doesNotMatch(JSON.stringify(refused.map(({ payload }) => payload)), /\d|twenty/);
    assert.equal(said.filter(({ type }) => type === "next").length, 20);
    say(socket, { id: "0", type: "complete" });
    await pause(100);
    said.length = 0;
    say(socket, subscription("again"));
    while (said.length < 1 && performance.now() < deadline) await pause(20);
    assert.equal(said[0]?.type, "next");
    socket.terminate();
  });

  it("is told what is wrong with an operation, and stays open", async () => {
    const { socket, said } = await signedIn();
    const wrong = [
      "{",
      "{ viewr }",
      "subscription { __typename }",
      `{ ${"viewer { ".repeat(20)} id ${"}".repeat(21)}`,
      "",
    ];
    for (const [id, query] of wrong.entries()) say(socket, { id: String(id), type: "subscribe", payload: { query } });
    const deadline = performance.now() + 5_000;
    while (said.length <= wrong.length && performance.now() < deadline) await pause(20);
    assert.deepEqual(
      said.slice(1).map(({ type }) => type),
      wrong.map(() => "error"),
    );
    assert.doesNotMatch(JSON.stringify(said), /INTERNAL|did you mean/i);
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.terminate();
  });

  it("is asked every 12 seconds whether it is still there", async () => {
    const { socket } = await signedIn();
    await once(socket, "ping", { signal: AbortSignal.timeout(13_000) });
    socket.terminate();
  });

  it("is one of four that a person may have; the fifth is closed with 4429, until one of them ends", async () => {
    await pause(200);
    const four = await Promise.all(Array.from({ length: 4 }, () => signedIn()));
    const fifth = await open();
    say(fifth, { type: "connection_init", payload: params() });
    assert.equal(await closeCode(fifth), 4429);
    const somebody = await stagePerson(hub);
    const others = await signedIn({ authorization: `Bearer ${somebody.token}` });
    assert.equal(others.said[0]?.type, "connection_ack");
    four[0]?.socket.close();
    await pause(200);
    const again = await signedIn();
    assert.equal(again.said[0]?.type, "connection_ack");
    for (const { socket } of [...four, again, others]) socket.terminate();
    await isAnswered();
  });

  it("is not opened beyond what all together may have", async () => {
    await pause(200);
    const many = await Promise.allSettled(Array.from({ length: 80 }, () => open()));
    const opened = many.filter(({ status }) => status === "fulfilled");
    assert.ok(opened.length <= 60, String(opened.length));
    for (const each of many) if (each.status === "fulfilled") each.value.terminate();
    await pause(200);
    await isAnswered();
  });

  it("over HTTP: a person has three streams at a time, until one of them ends", async () => {
    const stream = async () => {
      const ended = new AbortController();
      const response = await fetch(hub.graphqlUrl, {
        method: "POST",
        headers: { ...params(), "content-type": "application/json", accept: "text/event-stream" },
        body: JSON.stringify(subscription("1").payload),
        signal: ended.signal,
      });
      return { status: response.status, retryAfter: response.headers.get("retry-after"), end: () => ended.abort() };
    };
    const three = [await stream(), await stream(), await stream()];
    assert.deepEqual(
      three.map(({ status }) => status),
      [200, 200, 200],
    );
    const fourth = await stream();
    assert.deepEqual([fourth.status, fourth.retryAfter], [429, "60"]);
    three[0]?.end();
    await pause(300);
    const again = await stream();
    assert.equal(again.status, 200);
    for (const { end } of [...three, again]) end();
  });

  it("has said nothing on standard error, and nothing in the log but what it should", () => {
    assert.deepEqual(
      hub.lines.filter((line) => /"level":(50|60)/.test(line)),
      [],
    );
  });
});
