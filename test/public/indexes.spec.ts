// What lists stand on: every filter in every order reads the rows of the one who asks, and no neighbour's, among 100,000.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type GraphQLEnumType, type GraphQLInputObjectType, isInputObjectType } from "graphql";
import pg from "pg";
import { publicSchema } from "../../schema/public/schema.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";

const perTenant = 1_000;
/** A value for each field of a filter; a field that is not here makes the spec fail. */
const values: Record<string, string> = {
  types: "[SFTP]",
  kinds: "[SOURCE]",
  nameContains: '"7"',
  credentialId: `"crd_${"0".repeat(32)}"`,
  sourceId: `"src_${"0".repeat(32)}"`,
};
const statuses: Record<string, string> = { Source: "[DISABLED]", Schedule: "[DISABLED]" };

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly Plan[];
}

describe("a list in a large database", () => {
  const stack = new AsyncDisposableStack();
  let sent: { text: string; values: unknown[] }[] = [];
  let hub: StagedHub;
  let acme: StagedTenant;
  let connection: pg.Client;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    connection = new pg.Client({ connectionString: hub.databaseUrl });
    await connection.connect();
    stack.defer(() => connection.end());
    // References are what they should be; looking each of them up would take a minute.
    await connection.query(`
      SET session_replication_role = replica;
      CREATE TEMP TABLE whose AS SELECT '${acme.tenantId}' AS tenant_id, 0 AS nth
        UNION ALL SELECT 'ten_' || md5('t' || n), n FROM generate_series(1, 49) n;
      INSERT INTO tenants (id, name) SELECT tenant_id, 'One of many' FROM whose WHERE nth > 0;
      INSERT INTO credentials (id, tenant_id, name, fields, ciphertext, kek_id)
        SELECT 'crd_' || md5('c' || nth || '.' || n), tenant_id, 'Credential ' || n, '{password}', '', 'none'
          FROM whose, generate_series(1, ${perTenant / 10}) n;
      INSERT INTO sources (id, tenant_id, type, name, config, credential_id, status)
        SELECT 'src_' || md5('s' || nth || '.' || n), tenant_id, 'SFTP', 'Source ' || n, '{}',
          'crd_' || md5('c' || nth || '.' || (n % ${perTenant / 10} + 1)), 'ACTIVE' FROM whose, generate_series(1, ${perTenant}) n;
      INSERT INTO schedules (id, tenant_id, source_id, cron)
        SELECT 'sch_' || md5('h' || nth || '.' || n), tenant_id, 'src_' || md5('s' || nth || '.' || n), '@daily'
          FROM whose, generate_series(1, ${perTenant}) n;
      RESET session_replication_role;
      ANALYZE`);
    const { query } = pg.Client.prototype;
    stack.defer(() => {
      pg.Client.prototype.query = query;
    });
    pg.Client.prototype.query = function (
      this: pg.Client,
      ...args: [{ text?: string; values?: unknown[] }, unknown[]?]
    ) {
      const [{ text, values: own }, given] = args;
      if (text && this !== connection) sent.push({ text, values: own ?? given ?? [] });
      return query.apply(this, args as never) as never;
    } as unknown as typeof query;
  });
  after(() => stack.disposeAsync());

  /** Rows that a plan read of a table, shown or not; what a scan of all of it read is told by its name. */
  function readings(plan: Plan, table: string): { node: string; rows: number }[] {
    const here = plan["Relation Name"] === table ? [plan] : [];
    return [
      ...here.map((node) => ({
        node: node["Node Type"],
        rows: (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"],
      })),
      ...(plan.Plans ?? []).flatMap((below) => readings(below, table)),
    ];
  }

  async function explain({ text, values: parameters }: { text: string; values: unknown[] }): Promise<Plan> {
    await connection.query("BEGIN");
    try {
      const settings = "SELECT set_config('role', 'xvault_tenant', true), set_config('xvault.tenants', $1, true)";
      await connection.query(settings, [acme.tenantId]);
      const { rows } = await connection.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, parameters);
      return rows[0]["QUERY PLAN"][0].Plan;
    } finally {
      await connection.query("ROLLBACK");
    }
  }

  for (const [list, noun] of [
    ["sources", "Source"],
    ["credentials", "Credential"],
    ["schedules", "Schedule"],
  ] as const) {
    const orders = (publicSchema.getType(`${noun}Order`) as GraphQLEnumType).getValues().map(({ name }) => name);
    const filter = publicSchema.getType(`${noun}FilterInput`);
    assert.ok(isInputObjectType(filter));
    const filters = ["", ...Object.keys((filter as GraphQLInputObjectType).getFields())];
    for (const order of orders)
      it(`of ${list} reads no neighbour's rows: ${order}`, async () => {
        for (const field of filters) {
          const value = field === "statuses" ? statuses[noun] : values[field];
          assert.ok(field === "" || value, `${noun}.${field} is not tried`);
          const where = field && `, where: { ${field}: ${value} }`;
          for (const first of [
            "",
            `, after: "${Buffer.from(JSON.stringify([order, ...(order === "NAME" ? ["Credential 1"] : []), `${"m".repeat(36)}`])).toString("base64url")}"`,
          ]) {
            sent = [];
            const { errors } = await acme.ask(
              `query ($id: ID!) { tenant(id: $id) { ${list}(orderBy: ${order}${where}${first}) { totalCount nodes { id } } } }`,
              { id: acme.tenantId },
            );
            assert.equal(errors, undefined);
            const about = sent.filter(({ text }) => text.includes(`"${list}"`));
            assert.ok(about.length > 0);
            for (const statement of about)
              for (const { node, rows } of readings(await explain(statement), list)) {
                assert.notEqual(node, "Seq Scan", `${field}: ${statement.text}`);
                assert.ok(rows <= perTenant + 1, `${field}: ${rows} rows of ${statement.text}`);
              }
          }
        }
      });
  }
});
