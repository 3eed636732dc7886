// What is too large is refused before it is executed, at once, and without a word of where the limits are.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { getIntrospectionQuery, isObjectType } from "graphql";
import { publicSchema } from "../../schema/public/schema.ts";
import { type Person, type Sent, sendOperation, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";

const times = (count: number, text: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => text(n)).join(" ");
/** Pages of pages: each level has three levels of fields. */
const nested = (levels: number, first: number): string =>
  levels === 0 ? "id" : `source { jobs(first: ${first}) { nodes { ${nested(levels - 1, first)} } } }`;
const introspection = getIntrospectionQuery({ schemaDescription: true, inputValueDeprecation: true, oneOf: true });

const tooLarge: [what: string, query: string, variables?: object][] = [
  ["of 17 levels", `{ job(id: "x") { ${nested(5, 1)} } }`],
  ["of 300 levels", `{ job(id: "x") { ${nested(100, 1)} } }`],
  ["with 16 aliases", `{ ${times(16, (n) => `a${n}: __typename`)} }`],
  ["with 51 directives", `{ ${times(51, () => "__typename @include(if: true)")} }`],
  ["with 51 directives on one field", `{ __typename ${times(51, () => "@include(if: true)")} }`],
  ["of 1,001 tokens", `{ viewer { ${times(1_000, () => "id")} } }`],
  ["of 100,000 tokens", `{ viewer { ${times(80_000, () => "id")} } }`],
  ["with a field said 900 times", `{ viewer { ${times(900, () => "id")} } }`],
  ["with 11 times the same field", `{ viewer { ${times(11, () => "id")} } }`],
  [
    "of 401 fields",
    `{ viewer { ${times(11, (n) => `... on User { memberships { ...f${n} } }`)} } } ${times(11, (n) => `fragment f${n} on Membership { ${times(9, () => "role createdAt tenant { id name }")} }`)}`,
  ],
  [
    "that fragments make huge",
    `{ ...f0 } ${times(20, (n) => `fragment f${n} on Query { ...f${n + 1} ...f${n + 1} }`)} fragment f20 on Query { __typename }`,
  ],
  [
    "with 31 root fields",
    `{ ${times(8, (n) => `... on Query { ${times(4, () => "__typename")} ...f${n} }`)} } ${times(8, (n) => `fragment f${n} on Query { viewer { id } }`)}`,
  ],
  [
    "with 16 mutations",
    `mutation { ${times(2, () => `... on Mutation { ${times(8, (n) => `${n < 7 ? `a${n}: ` : ""}__typename`)} }`)} }`,
  ],
  ["of a page of a billion", `{ tenants(first: 1000000000) { nodes { id } } }`],
  ["of the last billion", `{ tenants(last: 1000000000) { nodes { id } } }`],
  [
    "of a page of a billion, as a variable",
    `query ($n: Int!) { tenants(first: $n) { nodes { id } } }`,
    { n: 1_000_000_000 },
  ],
  ["of a page of a billion, as a default", `query ($n: Int = 1000000000) { tenants(first: $n) { nodes { id } } }`],
  [
    "of a page of a billion, in a fragment",
    `query ($n: Int!) { ...a } fragment a on Query { tenants(first: $n) { nodes { id } } }`,
    { n: 1e9 },
  ],
  ["of pages of pages of pages", `{ tenants { nodes { jobs { nodes { events { nodes { seq } } } } } } }`],
  [
    "of many pages, none of them too large",
    `{ ${times(15, (n) => `a${n}: tenants(first: 100) { nodes { id name status createdAt } }`)} }`,
  ],
  [
    "with pages of less than nothing beside a large one",
    `{ tenants(first: 100) { nodes { jobs(first: 100) { nodes { id } } } } a: tenants(first: -2000000000) { nodes { id name } } }`,
  ],
  [
    "of a thousand ids",
    `query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Job { source { id name } status } } }`,
    { ids: Array.from({ length: 1000 }, () => "x") },
  ],
];

describe("an operation", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;

  before(async () => {
    hub = stack.use(await stageHub());
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    // What every program does once is not part of what a refusal costs.
    await person.ask(introspection);
    await person.ask("{ tenants(first: 1000000000) { nodes { id } } }");
  });
  after(() => stack.disposeAsync());

  for (const [what, query, variables] of tooLarge)
    it(`${what} is refused within 50 ms, and not told why`, async () => {
      const timed = async (): Promise<[Sent, number]> => {
        const [began, worked] = [performance.now(), process.cpuUsage()];
        const token = person.token;
        const sent = await sendOperation(hub.graphqlUrl, { query, token, ...(variables && { variables }) });
        // Other programs run beside this one: what the processor did for it counts as well as the clock.
        const { user, system } = process.cpuUsage(worked);
        return [sent, Math.min(performance.now() - began, (user + system) / 1_000)];
      };
      const turns = [await timed(), await timed(), await timed()];
      for (const [{ text }] of turns)
        assert.deepEqual(JSON.parse(text), {
          errors: [{ message: "This query is too large.", extensions: { code: "QUERY_TOO_COMPLEX" } }],
        });
      const took = Math.min(...turns.map(([, ms]) => ms));
      assert.ok(took < 50, `${took} ms`);
    });

  const fine: [what: string, query: string][] = [
    [
      "of four levels of pages",
      `{ ${["tenants", "sources", "jobs", "events"].map((page) => `${page}(first: 3) { totalCount edges { node {`).join(" ")} seq ${"} } }".repeat(4)} }`,
    ],
    ["with fifteen aliases", `{ ${times(15, (n) => `a${n}: viewer { id }`)} }`],
    ["that asks for all types", introspection],
    ["with ten times the same field", `{ viewer { ${times(10, () => "id")} } }`],
    ["with a page of a hundred", `{ tenants(first: 100) { totalCount nodes { id name status createdAt } } }`],
  ];
  for (const [what, query] of fine)
    it(`${what} is answered`, async () => {
      const { data, errors } = await person.ask(query);
      assert.equal(errors, undefined, JSON.stringify(errors));
      assert.ok(data);
    });

  it("with fragments that go round in circles is refused", async () => {
    const { errors } = await person.ask(
      "{ viewer { ...a } } fragment a on User { memberships { ...b } } fragment b on Membership { tenant { id } ...b }",
    );
    assert.match(errors?.[0]?.message ?? "", /Cannot spread fragment "b" within itself/);
  });

  it("whose arguments cannot be read is refused as a whole: what the rest costs is not known", async () => {
    const { data, errors } = await person.ask(
      `query ($id: ID! = "x") { job(id: $id) { id } tenants(first: 100) { nodes { jobs(first: 100) { nodes { id } } } } }`,
      { id: null },
    );
    assert.equal(data, undefined);
    assert.equal(errors?.[0]?.extensions?.code, "BAD_USER_INPUT");
  });
});

describe("a field that takes a page's size", () => {
  it("counts its content as often as the page may have it", () => {
    const uncounted = Object.values(publicSchema.getTypeMap())
      .filter(isObjectType)
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(({ field }) => field.args.some(({ name }) => name === "first" || name === "ids"))
      .filter(({ field }) => {
        const cost = field.extensions.complexity;
        return typeof cost !== "function" || cost({ first: 77, ids: Array(77) }).multiplier !== 77;
      });
    assert.deepEqual(
      uncounted.map(({ type, field }) => `${type.name}.${field.name}`),
      [],
    );
  });
});
