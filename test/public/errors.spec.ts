// What a caller may read of an error, and what never becomes an operation at all.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Person, send, sendOperation, stagePerson } from "./people.ts";

const dashboard = "https://dashboard.example.com";
const corsOrigins = [dashboard, "https://other.example.com"];
const json = { "content-type": "application/json" };

describe("an error", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;

  before(async () => {
    hub = stack.use(await stageHub({ corsOrigins }));
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
  });
  after(() => stack.disposeAsync());

  it("that nobody expected says nothing but a reference, which the log has too", async () => {
    const { db } = hub.running.hub;
    await db.$executeRaw`ALTER TABLE restores RENAME TO restores_away`;
    const { status, text } = await sendOperation(hub.graphqlUrl, {
      query: `query ($id: ID!) { tenant(id: $id) { name } restore(id: "rst_00000000000000000000000000000000") { id } }`,
      variables: { id: acme.tenantId },
      token: person.token,
    });
    await db.$executeRaw`ALTER TABLE restores_away RENAME TO restores`;
    const { data, errors } = JSON.parse(text);
    assert.equal(status, 200);
    assert.deepEqual(data, { tenant: { name: "Acme" }, restore: null });
    const [{ message, path, extensions }] = errors;
    assert.deepEqual([message, path], ["Something went wrong on our side.", ["restore"]]);
    assert.match(extensions.reference, /^[0-9a-f-]{36}$/);
    assert.deepEqual(extensions, { code: "INTERNAL", reference: extensions.reference });
    const line = hub.lines.find((each) => each.includes(extensions.reference)) ?? "";
    assert.match(line, /restores/);
    assert.doesNotMatch(text, /restores|SELECT|prisma|postgres|\.ts|at \//i);
  });

  const faulty: [what: string, query: string, variables?: object][] = [
    ["of a field that does not exist", "{ viewer { shoeSize } }"],
    ["of an argument that does not exist", `{ viewer(shoeSize: 43) { email } }`],
    ["of a variable of the wrong type", "query ($id: ID!) { job(id: $id) { id } }", { id: { a: 1 } }],
    ["of a variable that is missing", "query ($id: ID!) { job(id: $id) { id } }"],
    [
      "of an enum value that does not exist",
      `mutation { enrolWorker(input: { name: "x", role: KING }) { __typename } }`,
    ],
    ["of a document that is none", "{ viewer {"],
    ["of an empty document", ""],
    [
      "of an operation that is too deep",
      `{ job(id: "x") { ${"source { jobs { nodes { ".repeat(9)} id ${"} } }".repeat(9)} } }`,
    ],
    [
      "of an operation that is too wide",
      `{ ${Array.from({ length: 401 }, (_, n) => `a${n}: viewer { id }`).join(" ")} }`,
    ],
    [
      "of an operation that costs too much",
      `{ tenants(first: 100) { nodes { jobs(first: 100) { nodes { events(first: 100) { nodes { seq } } } } } } }`,
    ],
    [
      "of fragments that go round in circles",
      "{ viewer { ...a } } fragment a on User { memberships { ...b } } fragment b on Membership { tenant { id } ...b }",
    ],
  ];
  for (const [what, query, variables] of faulty)
    it(`${what} is the caller's, and says so`, async () => {
      const { status, text } = await sendOperation(hub.graphqlUrl, {
        query,
        token: person.token,
        ...(variables && { variables }),
      });
      const { data, errors } = JSON.parse(text);
      assert.ok(status < 500);
      for (const value of Object.values(data ?? {})) assert.equal(value, null);
      assert.ok(errors.length >= 1);
      const codes = ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "QUERY_TOO_COMPLEX"];
      for (const { message, extensions } of errors) {
        assert.ok(codes.includes(extensions.code), text);
        assert.doesNotMatch(message, /did you mean/i);
      }
    });

  it("is the caller's for whatever they put into a page's arguments, and none is ours", async () => {
    const pages = [
      "first: -1",
      "last: -1",
      "first: 2147483647",
      `after: "x"`,
      `before: "\\u0000"`,
      `after: "R1BDOlg6MQ=="`,
    ];
    for (const page of [...pages, "first: 1, last: 1", "last: 5", "first: 0"]) {
      const { data, errors } = await person.ask(
        `query ($id: ID!) { tenant(id: $id) { jobs(${page}) { nodes { id } } } tenants(${page}) { nodes { name } } }`,
        { id: acme.tenantId },
      );
      assert.ok(!JSON.stringify(errors ?? []).includes("INTERNAL"), `${page}: ${JSON.stringify(errors)}`);
      if (!errors) assert.ok(data.tenants.nodes.length <= 1);
    }
  });

  it("is the caller's for more than a hundred ids at once", async () => {
    const ids = (count: number) => Array.from({ length: count }, () => acme.tenantId);
    const query = `query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`;
    assert.equal((await person.ask(query, { ids: ids(100) })).data.nodes.length, 100);
    assert.equal((await person.ask(query, { ids: ids(101) })).errors?.[0]?.extensions?.code, "BAD_INPUT");
  });

  it("of a verb that the role does not allow is FORBIDDEN, and of nobody UNAUTHENTICATED", async () => {
    const enrol = `mutation { enrolWorker(input: { name: "x", role: BACKUP }) { ... on EnrolWorkerPayload { token } } }`;
    assert.deepEqual((await person.ask(enrol)).errors?.[0]?.extensions, { code: "FORBIDDEN" });
    assert.deepEqual((await client(hub.graphqlUrl)(enrol)).errors?.[0]?.extensions, { code: "UNAUTHENTICATED" });
  });
});

describe("a request", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let authorization: string;

  before(async () => {
    hub = stack.use(await stageHub({ corsOrigins }));
    authorization = `Bearer ${(await stagePerson(hub)).token}`;
  });
  after(() => stack.disposeAsync());

  const post = (body: string, headers: Record<string, string> = json) =>
    send(hub.graphqlUrl, { method: "POST", headers: { authorization, ...headers }, body });
  const workers = () => hub.running.hub.db.worker.count();
  const mutation = `mutation { enrolWorker(input: { name: "x", role: BACKUP }) { __typename } }`;

  it("by GET changes nothing", async () => {
    const before = await workers();
    const url = `${hub.graphqlUrl}?query=${encodeURIComponent(mutation)}`;
    const { status } = await send(url, { headers: { authorization } });
    assert.equal(status, 405);
    assert.equal(await workers(), before);
  });

  it("with several operations at once is refused", async () => {
    const operation = { query: "{ viewer { email } }" };
    const { status, text } = await post(JSON.stringify([operation, operation]));
    assert.equal(status, 400);
    assert.doesNotMatch(text, /example\.com/);
  });

  it("that is text or an upload is refused", async () => {
    const upload = `--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n${mutation}\r\n--x--`;
    assert.equal((await post(JSON.stringify({ query: mutation }), { "content-type": "text/plain" })).status, 415);
    assert.equal((await post(upload, { "content-type": "multipart/form-data; boundary=x" })).status, 415);
  });

  it("that is the form of a web page, which cannot carry a token, changes nothing", async () => {
    const before = await workers();
    const { text } = await send(hub.graphqlUrl, { method: "POST", body: new URLSearchParams({ query: mutation }) });
    assert.doesNotMatch(text, /EnrolWorkerPayload/);
    assert.equal(await workers(), before);
  });

  it("that is refused before it is read leaves the hub standing", async () => {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
      await send(hub.graphqlUrl, { method, headers: { "content-type": "text/plain" } });
    assert.equal((await post(JSON.stringify({ query: "{ viewer { email } }" }))).status, 200);
  });

  for (const body of [
    "",
    "{",
    "null",
    "[]",
    "1",
    `"x"`,
    `{"query":1}`,
    `{"query":"{viewer{email}}","variables":[]}`,
    "\xff\xfe",
  ])
    it(`with the body ${JSON.stringify(body)} is refused`, async () => {
      const { status, text } = await post(body);
      assert.ok(status >= 400 && status < 500, `${status} ${text}`);
    });

  it("of more than 256 KiB is refused, announced or not", async () => {
    const operation = (length: number) => JSON.stringify({ query: `{ viewer { email } } # ${"x".repeat(length)}` });
    assert.equal((await post(operation(250 * 1024))).status, 200);
    assert.equal((await post(operation(257 * 1024))).status, 413);
    const inPieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let n = 0; n < 5; n++) controller.enqueue(new TextEncoder().encode("x".repeat(60 * 1024)));
        controller.close();
      },
    });
    const streamed = { method: "POST", headers: { ...json, authorization }, body: inPieces, duplex: "half" as const };
    assert.equal((await send(hub.graphqlUrl, streamed)).status, 413);
  });

  it("from a web page of somebody else's gets no leave to be read", async () => {
    const granted = async (origin: string, init: RequestInit) => {
      const { headers } = await send(hub.graphqlUrl, { ...init, headers: { ...json, origin, ...init.headers } });
      return [...headers].filter(([name]) => name.startsWith("access-control-"));
    };
    const preflight = { method: "OPTIONS", headers: { "access-control-request-method": "POST" } };
    const request = { method: "POST", body: JSON.stringify({ query: "{ __typename }" }) };
    for (const init of [preflight, request]) {
      for (const origin of ["https://evil.example", "null", `${dashboard}.evil.example`, "https://example.com"])
        assert.deepEqual(await granted(origin, init), [], origin);
      const own = new Map(await granted(dashboard, init));
      assert.equal(own.get("access-control-allow-origin"), dashboard);
      assert.equal(own.get("access-control-allow-credentials"), undefined);
    }
  });
});
