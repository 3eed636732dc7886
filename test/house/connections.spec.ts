// How the hub speaks to Postgres: what it asks of a server whose own settings are others.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectDatabase } from "../../prisma/connect.ts";
import { missingPostgres15, stagePostgres15 } from "../stage/peers/postgres-15.ts";

describe("a connection of the hub", { skip: missingPostgres15 ?? false }, () => {
  it("has no statement compiled by a server that would take seconds for what takes milliseconds", async () => {
    await using server = await stagePostgres15();
    const [asSet] = await server.query("SHOW jit");
    assert.equal(asSet?.jit, "on", "Debian's server compiles");
    const db = connectDatabase(server.url);
    try {
      assert.deepEqual(await db.$queryRaw`SHOW jit`, [{ jit: "off" }]);
    } finally {
      await db.$disconnect();
    }
  });
});
