// Lists: pages, filters, orders and totals, and what may be made of a cursor.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Person, stagePerson } from "./people.ts";

const names = ["alpha", "Beta", "beta", "delta", "100% of it", "under_score"];

/** More than may be asked at once. */
const many = Array.from(
  { length: 4 },
  (_, index) => `a${index}: tenants(first: 100) { nodes { sources(first: 100) { nodes { id } } } }`,
).join(" ");

describe("a list", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let viewer: Person;
  let credentialId: string;
  let ids: string[];

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    const other = await stageTenant(hub, "Next door");
    viewer = await stagePerson(hub, { tenantId: acme.tenantId, role: "VIEWER" });
    credentialId = await acme.createCredential({ password: "x" });
    const config = { host: "files.example.com", username: "u", path: "/" };
    const { db } = hub.running.hub;
    ids = [];
    for (const [index, name] of names.entries()) {
      const id = await acme.createSource(index % 2 ? "SFTP" : "FTP", config, credentialId);
      await db.source.update({ where: { id }, data: { name, status: index === 3 ? "DISABLED" : "ACTIVE" } });
      ids.push(id);
    }
    await other.createSftpSource(config, await other.createCredential({ password: "x" }));
  });
  after(() => stack.disposeAsync());

  const ask = (
    args: string,
    fields = "totalCount nodes { id name } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }",
  ) => viewer.ask(`query ($id: ID!) { tenant(id: $id) { sources${args} { ${fields} } } }`, { id: acme.tenantId });
  const list = async (args: string) => (await ask(args)).data.tenant.sources;
  const shown = async (args: string): Promise<string[]> =>
    (await list(args)).nodes.map(({ name }: { name: string }) => name);

  it("is the newest first where nothing else is said, and goes by age or by name", async () => {
    assert.deepEqual(await shown(""), names.toReversed());
    assert.deepEqual(await shown("(orderBy: NEWEST_FIRST)"), names.toReversed());
    assert.deepEqual(await shown("(orderBy: OLDEST_FIRST)"), names);
    const { db } = hub.running.hub;
    const sorted = await db.source.findMany({ where: { tenantId: acme.tenantId }, orderBy: { name: "asc" } });
    assert.deepEqual(
      await shown("(orderBy: NAME)"),
      sorted.map(({ name }) => name),
    );
  });

  for (const order of ["NEWEST_FIRST", "OLDEST_FIRST", "NAME"])
    it(`is walked to its end forwards and backwards without a gap or a repetition: ${order}`, async () => {
      const whole = await shown(`(orderBy: ${order})`);
      const forwards: string[] = [];
      for (let cursor: string | null = null, more = true; more; ) {
        const page = await list(`(orderBy: ${order}, first: 2${cursor ? `, after: "${cursor}"` : ""})`);
        assert.equal(page.pageInfo.hasPreviousPage, cursor !== null);
        assert.equal(page.totalCount, names.length);
        forwards.push(...page.nodes.map(({ name }: { name: string }) => name));
        ({ endCursor: cursor, hasNextPage: more } = page.pageInfo);
      }
      assert.deepEqual(forwards, whole);
      const backwards: string[] = [];
      for (let cursor: string | null = null, more = true; more; ) {
        const page = await list(`(orderBy: ${order}, last: 4${cursor ? `, before: "${cursor}"` : ""})`);
        assert.equal(page.pageInfo.hasNextPage, cursor !== null);
        backwards.unshift(...page.nodes.map(({ name }: { name: string }) => name));
        ({ startCursor: cursor, hasPreviousPage: more } = page.pageInfo);
      }
      assert.deepEqual(backwards, whole);
    });

  it("goes on behind a row that has left it meanwhile", async () => {
    const { db } = hub.running.hub;
    const { pageInfo } = await list(`(first: 2, where: { types: [FTP, SFTP] }, orderBy: OLDEST_FIRST)`);
    await db.source.update({ where: { id: ids[1] ?? "" }, data: { deletedAt: new Date() } });
    const rest = `(after: "${pageInfo.endCursor}", where: { types: [FTP, SFTP] }, orderBy: OLDEST_FIRST)`;
    assert.deepEqual(await shown(rest), names.slice(2));
    await db.source.update({ where: { id: ids[1] ?? "" }, data: { deletedAt: null } });
  });

  it("between two cursors is what lies between them", async () => {
    const [first, , third, fourth] = (await ask("(orderBy: OLDEST_FIRST)", "edges { cursor node { name } }")).data
      .tenant.sources.edges;
    assert.deepEqual(
      await shown(`(orderBy: OLDEST_FIRST, after: "${first.cursor}", before: "${fourth.cursor}")`),
      names.slice(1, 3),
    );
    assert.equal(third.node.name, names[2]);
  });

  it("holds what everything said in the filter is true of, and counts that", async () => {
    const count = async (where: string) => {
      const { totalCount, nodes } = await list(`(where: { ${where} })`);
      assert.equal(totalCount, nodes.length);
      return nodes.map(({ name }: { name: string }) => name).sort();
    };
    const where = (keep: (name: string, index: number) => boolean) => names.filter(keep).sort();
    assert.deepEqual(
      await count("types: [FTP]"),
      where((_, index) => index % 2 === 0),
    );
    assert.deepEqual(await count("types: []"), []);
    assert.deepEqual(await count("types: null, nameContains: null"), names.toSorted());
    assert.deepEqual(await count("statuses: [DISABLED]"), ["delta"]);
    assert.deepEqual(await count('nameContains: "BETA"'), ["Beta", "beta"]);
    assert.deepEqual(await count('nameContains: "BETA", types: [FTP]'), ["beta"]);
    assert.deepEqual(await count(`credentialId: "${credentialId}"`), names.toSorted());
    assert.deepEqual(await count(`credentialId: "crd_${"0".repeat(32)}"`), []);
  });

  it("takes wildcards of the database for what they are, and what it cannot hold for nothing", async () => {
    assert.deepEqual(await shown('(where: { nameContains: "%" })'), ["100% of it"]);
    assert.deepEqual(await shown('(where: { nameContains: "_" })'), ["under_score"]);
    assert.deepEqual(await shown('(where: { nameContains: "\\\\" })'), []);
    const query = `query ($id: ID!, $where: SourceFilterInput) { tenant(id: $id) { sources(where: $where) { totalCount } } }`;
    for (const text of ["a\0", "\ud83d", "x".repeat(10_000)])
      for (const where of [{ nameContains: text }, { credentialId: text }]) {
        const { data } = await viewer.ask(query, { id: acme.tenantId, where });
        assert.deepEqual(data, { tenant: { sources: { totalCount: 0 } } });
      }
  });

  it("costs no less for a size that is none", async () => {
    const { errors } = await viewer.ask(`{ cheap: tenants(first: -100000) { nodes { id name status } } ${many} }`);
    assert.equal(errors?.[0]?.extensions?.code, "QUERY_TOO_COMPLEX");
  });

  for (const [what, args] of [
    ["more than 100", "(first: 101)"],
    ["less than none", "(first: -1)"],
    ["more than 100 from the end", "(last: 101)"],
    ["both ends at once", "(first: 1, last: 1)"],
  ] as const)
    it(`of ${what} is refused with a sentence`, async () => {
      const { errors } = await ask(args);
      assert.deepEqual(
        errors?.map(({ extensions }) => extensions),
        [{ code: "BAD_USER_INPUT" }],
      );
      assert.match(errors?.[0]?.message ?? "", /^(`|Ask).*\.$/);
    });

  it("of none is empty, and still counts", async () => {
    const { nodes, totalCount, pageInfo } = await list("(first: 0)");
    assert.deepEqual([nodes, totalCount, pageInfo.hasNextPage], [[], names.length, true]);
  });
});

describe("a cursor", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    const credential = await acme.createCredential({ password: "x" });
    await acme.createSftpSource({ host: "files.example.com", username: "u", path: "/" }, credential);
    const { data } = await acme.ask(`query ($id: ID!) { tenant(id: $id) { sources { nodes { id } } } }`, {
      id: acme.tenantId,
    });
    await acme.ask(`mutation ($id: ID!) { testSource(input: { sourceId: $id }) { __typename } }`, {
      id: data.tenant.sources.nodes[0].id,
    });
  });
  after(() => stack.disposeAsync());

  const encode = (value: unknown) =>
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const malformed = [
    "",
    "x",
    "!!!",
    "\0",
    "\ud83d",
    "x".repeat(100_000),
    encode("GPC:N:5"),
    encode("GPC:S:src_1"),
    encode("GPC:D:2026-01-01T00:00:00.000Z"),
    encode('GPC:J:["x", 1'),
    encode("null"),
    encode("{}"),
    encode("[]"),
    encode("[["),
    encode(["NEWEST_FIRST"]),
    encode(["NEWEST_FIRST", 5]),
    encode(["NEWEST_FIRST", null]),
    encode(["NEWEST_FIRST", "a\0b"]),
    encode(["NEWEST_FIRST", "a", "b"]),
    encode(["NEWEST_FIRST", { gt: "" }]),
    encode(["", "1"]),
    encode(["", 1.5]),
    encode(["", 2 ** 40]),
    encode(["", { not: 1 }]),
    encode(["ELSEWHERE", "a"]),
  ];

  for (const [where, field] of [
    ["tenants", "page: tenants(after: $cursor) { nodes { id } }"],
    ["tenants, backwards", "page: tenants(before: $cursor) { nodes { id } }"],
    ["sources", "tenants { nodes { sources(after: $cursor) { nodes { id } } } }"],
    ["sources by name", "tenants { nodes { sources(after: $cursor, orderBy: NAME) { nodes { id } } } }"],
    [
      "jobs of a source",
      "tenants(first: 2) { nodes { sources(first: 2) { nodes { jobs(before: $cursor) { totalCount } } } } }",
    ],
    [
      "the log of a job",
      "tenants(first: 2) { nodes { jobs(first: 2) { nodes { events(after: $cursor) { nodes { seq } } } } } }",
    ],
    ["snapshots", "tenants { nodes { snapshots(after: $cursor) { nodes { id } } } }"],
  ] as const)
    it(`that is none is refused, and by the list itself: ${where}`, async () => {
      for (const cursor of malformed) {
        const { errors } = await acme.ask(`query ($cursor: String) { ${field} }`, { cursor });
        assert.deepEqual(
          errors?.map(({ extensions }) => extensions),
          [{ code: "BAD_USER_INPUT" }],
          JSON.stringify(cursor),
        );
        assert.match(errors?.[0]?.message ?? "", /^`(after|before)` is no cursor of this list in this order\.$/);
      }
    });

  it("of one order is none of another", async () => {
    const { data } = await acme.ask(`{ tenants { nodes { sources { pageInfo { endCursor } } } } }`);
    const cursor = data.tenants.nodes[0].sources.pageInfo.endCursor;
    const { errors } = await acme.ask(
      `query ($cursor: String) { tenants { nodes { sources(orderBy: NAME, after: $cursor) { nodes { id } } } } }`,
      { cursor },
    );
    assert.equal(errors?.[0]?.extensions?.code, "BAD_USER_INPUT");
  });
});
