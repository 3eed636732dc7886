// As rolling.spec.ts: the migrations killed at every tenth statement (F41).
import { describe, it } from "node:test";
import { killMigrationAt } from "./kit/killed-migration.ts";

const every = 10;

describe("a migration that is killed", () => {
  it("is done by running it again, wherever that was", async () => {
    let statement = 1;
    while (await killMigrationAt(statement)) statement += every;
    process.stdout.write(`killed at ${Math.ceil(statement / every)} places of some ${statement} statements\n`);
  });
});
