// What the second wall leaves to the database's planner: the order that an index has, and a row instead of all of them.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { seed } from "../../bench/api/seed.ts";
import { type StagedDatabase, stageDatabase } from "../stage/postgres.ts";

describe("behind the wall of the database", () => {
  const size = { tenants: 3, sources: 5, snapshots: 200 };
  let database: StagedDatabase;
  let client: pg.Client;
  let tenantId: string;
  before(async () => {
    database = await stageDatabase();
    await seed(database.url, size);
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    tenantId = (await client.query("SELECT id FROM tenants ORDER BY id LIMIT 1")).rows[0].id;
    await client.query(
      "SELECT set_config('role', 'xvault_tenant', false), set_config('xvault.tenants', $1, false), set_config('xvault.user', '', false), set_config('xvault.sources', '', false)",
      [tenantId],
    );
  });
  after(async () => {
    await client.end();
    await database[Symbol.asyncDispose]();
  });

  const planOf = async (statement: string, values: unknown[]): Promise<string> => {
    const { rows } = await client.query(`EXPLAIN (COSTS OFF) ${statement}`, values);
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  };

  it("the newest snapshots of a source are read in the order of their index, and no others", async () => {
    const plan = await planOf(
      `SELECT n.id FROM sources s, LATERAL (SELECT id FROM snapshots WHERE tenant_id = s.tenant_id AND source_id = s.id
         ORDER BY id DESC LIMIT 5) n WHERE s.tenant_id = $1`,
      [tenantId],
    );
    assert.match(plan, /Index (Only )?Scan Backward using snapshots_tenant_id_source_id_id_idx/);
    assert.doesNotMatch(plan, /Sort/);
  });

  it("jobs in one state are found by the index on states", async () => {
    const plan = await planOf(
      "SELECT id FROM jobs WHERE tenant_id = $1 AND status = 'FAILED' ORDER BY id DESC LIMIT 20",
      [tenantId],
    );
    assert.match(plan, /Index Cond: \(.*status = 'FAILED'/);
  });

  it("a doorbell is weighed by the one job that it is for", async () => {
    const plan = await planOf("SELECT id FROM outbox WHERE job_id = $1", [tenantId]);
    assert.match(plan, /wall_sees_job\(job_id\)/);
  });
});
