// GraphQL over HTTP, as its specification's own audits see it: https://github.com/graphql/graphql-http.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { serverAudits } from "graphql-http";
import { type Person, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";

describe("GraphQL over HTTP", () => {
  let hub: StagedHub;
  let person: Person;
  before(async () => {
    hub = await stageHub();
    person = await stagePerson(hub);
  });
  after(() => hub[Symbol.asyncDispose]());

  // Some ask for a type by its name, which is answered to the signed-in only.
  const fetchFn = (url: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${person.token}`);
    return fetch(url, { ...init, headers });
  };
  const audits = serverAudits({ url: () => hub.graphqlUrl, fetchFn });

  it("has audits of every kind", () => {
    const kinds = Map.groupBy(audits, ({ name }) => name.split(" ")[0]);
    assert.deepEqual([...kinds.keys()].sort(), ["MAY", "MUST", "SHOULD"]);
  });

  for (const { id, name, fn } of audits)
    it(`${id} ${name}`, async () => {
      const result = await fn();
      if (result.status !== "ok") assert.fail(result.reason);
    });
});
