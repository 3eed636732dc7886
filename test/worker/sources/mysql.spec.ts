import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Source } from "../../../worker/sources/source.ts";
import { missingMariadb, type StagedMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { describeServer, fillOddDatabases, fillShop, oddDatabases } from "../../stage/peers/mariadb-shop.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { connectDirectly, connectOverSsh, readDumps } from "./mysql-reading.ts";

const skip = missingMariadb ?? missingOpenSsh ?? false;

describe("a MySQL source", { skip }, () => {
  let server: StagedMariadb;
  let sshd: StagedOpenSsh;
  const staged = new AsyncDisposableStack();
  before(async () => {
    server = staged.use(await stageMariadb());
    sshd = staged.use(await stageOpenSsh());
    await fillShop(server);
    await fillOddDatabases(server);
  });
  after(() => staged.disposeAsync());

  async function assertRestorable(connecting: Promise<Source>): Promise<void> {
    await using source = await connecting;
    const { dumps, warnings } = await readDumps(source);
    assert.deepEqual(warnings, []);
    await using other = await stageMariadb();
    for (const dump of dumps.values()) await other.query(dump);
    assert.deepEqual(await describeServer(other), await describeServer(server));
  }

  it("is restored row for row from dumps that were made directly", () => assertRestorable(connectDirectly(server)));
  it("is restored row for row from dumps that were made through a tunnel", () =>
    assertRestorable(connectOverSsh(sshd, server, "near")));
  it("is restored row for row from dumps that its own server made", () =>
    assertRestorable(connectOverSsh(sshd, server, "far")));

  it("has an entry for each database, of a name that any file system takes", async () => {
    await using source = await connectDirectly(server);
    const { dumps } = await readDumps(source);
    const plain = oddDatabases.filter((name) => !/[/\n]/.test(name));
    const expected = [
      "shop",
      "other",
      "nothing_in_it",
      "a%2Fb",
      "new%0Aline",
      "--result-file=%2Fx",
      "-T%2Ftmp",
      ...plain,
    ];
    assert.deepEqual([...dumps.keys()].sort(), expected.map((name) => `mysql/${name}.sql`).sort());
  });

  it("is as of one moment, and nobody has to wait for it", async () => {
    await server.query(`CREATE DATABASE moving; USE moving; CREATE TABLE a (id INT PRIMARY KEY, filler LONGTEXT); CREATE TABLE z (id INT PRIMARY KEY);
      INSERT INTO a SELECT seq, REPEAT(MD5(seq), 3000) FROM seq_1_to_200; INSERT INTO z VALUES (1)`);
    try {
      await using source = await connectDirectly(server, { config: { databases: ["moving"] } });
      for await (const { content } of source.entries(() => undefined)) {
        let [dump, changed] = ["", false];
        for await (const chunk of content ?? []) {
          if (!changed) await server.query("DELETE FROM moving.a WHERE id = 200; INSERT INTO moving.z VALUES (2)");
          changed = true;
          dump += Buffer.from(chunk).toString("latin1");
        }
        assert.match(dump, /INSERT INTO `z` VALUES\s+\(1\);/);
        assert.match(dump, /\(200,'/);
      }
    } finally {
      await server.query("DROP DATABASE moving");
    }
  });
});
