// What a nested list costs: the statements that really went to Postgres, counted where they leave.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { backUp, playWorker, testedSource } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";

describe("a nested list", () => {
  const stack = new AsyncDisposableStack();
  const sent: string[] = [];
  let hub: StagedHub;
  let acme: StagedTenant;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600, leaseSeconds: 600 }));
    const worker = await playWorker(hub);
    for (const name of ["Acme", "Bolt", "Cord"]) {
      acme = await stageTenant(hub, name);
      for (let index = 0; index < 3; index++) {
        const sourceId = await testedSource(acme, worker);
        await backUp(acme, worker, sourceId);
        await backUp(acme, worker, sourceId);
        await acme.ask(
          `mutation ($id: ID!) { createSchedule(input: { sourceId: $id, cron: "@daily" }) { __typename } }`,
          {
            id: sourceId,
          },
        );
      }
    }
    // Every statement of this process passes here, whoever sends it.
    const { query } = pg.Client.prototype;
    stack.defer(() => {
      pg.Client.prototype.query = query;
    });
    pg.Client.prototype.query = function (this: pg.Client, ...args: [string | { text: string }]) {
      sent.push(typeof args[0] === "string" ? args[0] : args[0].text);
      return query.apply(this, args as never) as never;
    } as typeof query;
  });
  after(() => stack.disposeAsync());

  /** What was asked of the tables of the lists; who asks, and for whom a connection looks, is told apart. */
  async function statements(document: string): Promise<{ lists: string[]; data: Record<string, unknown> }> {
    sent.length = 0;
    const { data, errors } = await acme.ask(document);
    assert.equal(errors, undefined);
    const ofLists = /"(tenants|sources|jobs|job_events|snapshots|schedules|credentials)"|FROM (sources|snapshots) /;
    const lists = sent.filter((text) => ofLists.test(text));
    assert.ok(lists.length > 0, "nothing passed here");
    for (const text of lists) assert.match(text, /^\s*SELECT/);
    return { lists, data };
  }

  it("of four levels takes at most one statement a level, totals, filters and orders included", async () => {
    const { lists, data } = await statements(`{ tenants(first: 10) { totalCount nodes { id
      sources(first: 5, where: { types: [SFTP] }, orderBy: NAME) { totalCount nodes { id
        jobs(first: 3, orderBy: OLDEST_FIRST) { totalCount nodes { id
          events(first: 2) { totalCount nodes { seq } } } } } } } } }`);
    assert.match(JSON.stringify(data), /"totalCount":3.*"totalCount":3.*"seq":1/);
    assert.ok(lists.length <= 4, lists.join("\n"));
  });

  it("with several lists a level takes at most one statement for each of them", async () => {
    const { lists } = await statements(`{ tenants(first: 10) { nodes { id
      sources(first: 5) { nodes { id schedules(first: 2) { totalCount nodes { id } } snapshots(first: 1) { totalCount nodes { id job { id } } } } }
      credentials(first: 2) { nodes { id usedBy(first: 2) { totalCount nodes { id } } } } } } }`);
    assert.ok(lists.length <= 7, lists.join("\n"));
  });

  it("asked for twice in different ways takes no more the more rows there are", async () => {
    const document = (first: number) => `{ tenants(first: ${first}) { nodes { id
      all: sources(first: 5) { totalCount nodes { id schedules(first: 2) { nodes { id } } } }
      few: sources(last: 1, where: { nameContains: "staged" }) { totalCount nodes { id schedules(first: 1) { nodes { id } } } } } } }`;
    const [one, many] = [await statements(document(1)), await statements(document(3))];
    assert.equal(many.lists.length, one.lists.length);
    // The second way asks for its parents again, to hang the rows on.
    assert.ok(many.lists.length <= 1 + 2 + 3, many.lists.join("\n"));
  });

  it("with what a dashboard shows beside each source takes no more the more sources there are", async () => {
    const document = (first: number) => `{ tenants(first: 3) { nodes { id
      sources(first: ${first}) { nodes { id nextRunAt lastSnapshot { id job { id } } viewerCanUpdate } } } } }`;
    const [one, many] = [await statements(document(1)), await statements(document(3))];
    assert.equal(many.lists.length, one.lists.length);
    assert.ok(many.lists.length <= 2 + 1 + 3, many.lists.join("\n"));
    assert.equal(JSON.stringify(many.data).match(/"lastSnapshot":\{"id":"snp_/g)?.length, 9);
  });
});
