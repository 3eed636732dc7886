// How much of the database an operation reads: as many statements as it needs, and the columns that it asks for.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";

const fourLevels = `query ($id: ID!) { tenant(id: $id) { name sources(first: 5) { totalCount nodes { name
  jobs(first: 5) { nodes { status snapshot { storedBytes } events(first: 5) { nodes { kind } } } } } } } }`;

describe("an operation", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  const statements: string[] = [];
  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub, "acme");
    const { query } = pg.Client.prototype;
    stack.defer(() => {
      pg.Client.prototype.query = query;
    });
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      const [statement] = args as [string | { text: string }];
      statements.push(typeof statement === "string" ? statement : statement.text);
      return Reflect.apply(query, this, args);
    } as typeof query;
  });
  after(() => stack.disposeAsync());

  const readBy = async (document: string, variables: Record<string, unknown>): Promise<string[]> => {
    statements.length = 0;
    const { errors } = await acme.ask(document, variables);
    assert.equal(errors, undefined);
    return statements.filter((text) => /FROM "public"\."(tenants|sources|jobs|snapshots|job_events)"/.test(text));
  };

  it("reads a list of four levels with one statement, and no columns that it did not ask for", async () => {
    const [statement = "", ...others] = await readBy(fourLevels, { id: acme.tenantId });
    assert.deepEqual(others, []);
    assert.match(statement, /"stored_bytes"/);
    assert.doesNotMatch(statement, /"manifest"|"config"|"error_message"/);
  });

  it("asks for a page of related rows, and not for all of them", async () => {
    const [statement = ""] = await readBy(fourLevels, { id: acme.tenantId });
    assert.equal(statement.match(/LIMIT/g)?.length, 5, "tenant, sources, jobs, snapshot, events");
  });

  it("answers with a row that a verb made without reading it again", async () => {
    const credentialId = await acme.createCredential({ password: "a password of the stage" });
    const input = {
      tenantId: acme.tenantId,
      type: "SFTP",
      name: "staged",
      config: { host: "127.0.0.1", username: "backup", path: "/srv" },
      credentialId,
    };
    const create = `mutation ($input: CreateSourceInput!) { createSource(input: $input) {
      ... on CreateSourcePayload { source { id name type config status createdAt } } } }`;
    assert.ok((await readBy(create, { input })).length > 0);
    const made = statements.findIndex((text) => text.startsWith('INSERT INTO "public"."sources"'));
    assert.ok(made > 0);
    assert.deepEqual(
      statements.slice(made + 1).filter((text) => text.includes('FROM "public"."sources"')),
      [],
    );
  });
});
