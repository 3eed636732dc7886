// Whatever a row's time is not told, the database's clock says, and never that of the machine that writes it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newId } from "../../domain/ids.ts";
import { connectDatabase } from "../../prisma/connect.ts";
import { stageDatabase } from "../stage/postgres.ts";

describe("a row that is written by a machine whose clock is wrong", () => {
  it("has its times from the database", async (t) => {
    await using database = await stageDatabase();
    const db = connectDatabase(database.url);
    await using _ = { [Symbol.asyncDispose]: () => db.$disconnect() };
    t.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2031, 0, 1) });
    const at = new Date("2026-01-01T00:00:00Z");
    const tenant = await db.tenant.create({ data: { id: newId("tenant", at), name: "Acme" } });
    const job = await db.job.create({ data: { id: newId("job", at), tenantId: tenant.id, type: "BACKUP" } });
    t.mock.timers.reset();
    const [truth] = await db.$queryRaw<{ now: Date }[]>`SELECT now() AS now`;
    for (const time of [tenant.createdAt, tenant.updatedAt, job.createdAt, job.updatedAt, job.notBefore])
      assert.ok(truth && Math.abs(truth.now.getTime() - time.getTime()) < 60_000, time.toISOString());
  });
});
