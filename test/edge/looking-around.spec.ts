// What somebody learns of the API who has no part in it.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { buildClientSchema, getIntrospectionQuery } from "graphql";
import { type Person, sendOperation, stagePerson } from "../public/people.ts";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";

describe("the schema", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let person: Person;

  before(async () => {
    hub = stack.use(await stageHub());
    person = await stagePerson(hub);
  });
  after(() => stack.disposeAsync());

  const asking = [
    getIntrospectionQuery(),
    "{ __schema { queryType { name } } }",
    `{ __type(name: "Tenant") { name } }`,
    "{ a: __schema { types { name } } }",
    "{ ...a } fragment a on Query { ... { __schema { queryType { name } } } }",
    "{ __schema @include(if: true) { queryType { name } } }",
  ];
  for (const query of asking)
    it(`is told to nobody who has not signed in: ${query.trim().slice(0, 50).replaceAll(/\s+/g, " ")}`, async () => {
      for (const token of [undefined, `${person.token.slice(0, -2)}xx`]) {
        const { text } = await sendOperation(hub.graphqlUrl, { query, token });
        const { data, errors } = JSON.parse(text);
        assert.equal(data, undefined);
        assert.deepEqual([errors[0].message, errors[0].extensions], ["Sign in first.", { code: "UNAUTHENTICATED" }]);
      }
    });

  it("is told to the signed-in, whole", async () => {
    const { data } = await person.ask(getIntrospectionQuery());
    assert.ok(buildClientSchema(data).getType("Tenant"));
  });

  it("tells anybody the type of a value, which is no secret", async () => {
    assert.deepEqual((await client(hub.graphqlUrl)("{ __typename }")).data, { __typename: "Query" });
  });

  const misspelt: [query: string, variables?: object][] = [
    ["{ viewr { email } }"],
    ["{ viewer { emial } }"],
    [`{ tenant(idd: "x") { id } }`],
    ["{ viewer { ... on Usr { id } } }"],
    ["query ($x: Sting) { viewer { id } }"],
    ["{ viewer @inclde(if: true) { id } }"],
    [`mutation { enrolWorker(input: { name: "x", role: BACKUPS }) { __typename } }`],
    [`mutation { enrolWorker(input: { nam: "x", role: BACKUP }) { __typename } }`],
    [`mutation ($i: EnrolWorkerInput!) { enrolWorker(input: $i) { __typename } }`, { i: { nam: "x", role: "BACKUP" } }],
    [
      `mutation ($i: EnrolWorkerInput!) { enrolWorker(input: $i) { __typename } }`,
      { i: { name: "x", role: "BACKUPS" } },
    ],
  ];
  for (const [query, variables] of misspelt)
    it(`is not suggested to whoever guesses: ${query}`, async () => {
      const { text } = await sendOperation(hub.graphqlUrl, { query, ...(variables && { variables }) });
      assert.ok(JSON.parse(text).errors.length > 0);
      assert.doesNotMatch(text, /did you mean/i);
    });
});
