// The hub's own database, dumped and put back as docs/operations.md says, by the user of the hub, who is no superuser.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import pg from "pg";
import { migrate } from "../../prisma/migrate.ts";
import { stageEarth, stageHubProcess } from "../faults/kit/hub-process.ts";
import { client, signIn } from "../stage/client.ts";
import { missingPostgres15, postgres15Bin, stagePostgres15 } from "../stage/peers/postgres-15.ts";
import { stageTenant } from "../stage/tenant.ts";

const run = promisify(execFile);

describe("the database of a hub", { skip: missingPostgres15 ?? false }, () => {
  it("comes back from a dump with its rows, its wall and its books, and a hub goes on with it", async () => {
    await using server = await stagePostgres15();
    await server.runScript(`CREATE ROLE xvault LOGIN PASSWORD 'staged'; CREATE ROLE xvault_tenant NOLOGIN;
      GRANT xvault_tenant TO xvault; CREATE DATABASE xvault OWNER xvault; CREATE DATABASE again OWNER xvault;`);
    const url = (database: string) => `postgres://xvault:staged@${server.host}:${server.port}/${database}`;
    await migrate(url("xvault"));
    await using earth = await stageEarth({ databaseUrl: url("xvault") });
    await using hub = await stageHubProcess(earth);
    const acme = await stageTenant(hub);
    const sftp = { host: "127.0.0.1", port: 22, username: "a", path: "/" };
    const sourceId = await acme.createSftpSource(sftp, await acme.createCredential({ password: "secret" }));
    const neighbour = await stageTenant(hub, "Neighbour");
    await hub.end("SIGTERM");

    const directory = await mkdtemp(join(tmpdir(), "xvault-dump-"));
    await using cleanUp = new AsyncDisposableStack();
    cleanUp.defer(() => rm(directory, { recursive: true, force: true }));
    const dump = join(directory, "xvault.dump");
    await run(join(postgres15Bin, "pg_dump"), ["-Fc", "-f", dump, url("xvault")]);
    await run(join(postgres15Bin, "pg_restore"), ["--exit-on-error", "-d", url("again"), dump]);
    assert.deepEqual(await contentOf(url("again")), await contentOf(url("xvault")));
    assert.deepEqual(await migrate(url("again")), [], "its books are complete");

    const file = join(directory, "url");
    await writeFile(file, url("again"), { mode: 0o600 });
    const secretFiles = { ...earth.secretFiles, DATABASE_URL_FILE: file };
    await using second = await stageHubProcess({ ...earth, secretFiles });
    const token = await signIn(second.graphqlUrl, earth.owner);
    const { data } = await client(second.graphqlUrl, token)("query ($id: ID!) { source(id: $id) { id } }", {
      id: sourceId,
    });
    assert.deepEqual(data.source, { id: sourceId });
    assert.deepEqual(await seenBy(url("again"), acme.tenantId), [sourceId]);
    assert.deepEqual(await seenBy(url("again"), neighbour.tenantId), []);
  });
});

/** A digest of the rows of each table, and what guards them. */
async function contentOf(connectionString: string): Promise<unknown[]> {
  const db = new pg.Client({ connectionString });
  await db.connect();
  try {
    const { rows } = await db.query(`SELECT relname AS name, relrowsecurity AS secured,
        (SELECT count(*)::int FROM pg_policy WHERE polrelid = c.oid) AS policies,
        (SELECT count(*)::int FROM pg_trigger WHERE tgrelid = c.oid) AS triggers,
        has_table_privilege('xvault_tenant', oid, 'SELECT') AS open
      FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`);
    for (const row of rows) {
      const content = `SELECT md5(string_agg(t::text, '' ORDER BY t::text)) AS digest FROM "${row.name}" t`;
      row.digest = (await db.query(content)).rows[0].digest;
    }
    return rows;
  } finally {
    await db.end();
  }
}

/** The sources that are seen behind the wall. */
async function seenBy(connectionString: string, tenantId: string): Promise<string[]> {
  const db = new pg.Client({ connectionString });
  await db.connect();
  try {
    await db.query("SELECT set_config('role', 'xvault_tenant', false), set_config('xvault.tenants', $1, false)", [
      tenantId,
    ]);
    return (await db.query("SELECT id FROM sources")).rows.map(({ id }) => id);
  } finally {
    await db.end();
  }
}
