// What is remembered so that it need not be done again: statements that repeat, and tokens that were found to be genuine.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nameRepeated } from "../../prisma/prepared.ts";
import { rememberVerified } from "../../server/verified-tokens.ts";

describe("a statement", () => {
  it("gets a name when it comes for the third time, and keeps it", () => {
    const nameOf = nameRepeated();
    assert.deepEqual(
      Array.from({ length: 4 }, () => nameOf({ sql: "SELECT 1" })),
      ["", "", "xvault_0", "xvault_0"],
    );
    for (let times = 0; times < 2; times++) assert.equal(nameOf({ sql: "SELECT 2" }), "");
    assert.equal(nameOf({ sql: "SELECT 2" }), "xvault_1");
  });

  it("gets none where a hundred others have one, however often it comes", () => {
    const nameOf = nameRepeated();
    const names = new Set<string>();
    for (let times = 0; times < 5; times++)
      for (let number = 0; number < 200; number++) names.add(nameOf({ sql: `SELECT ${number}` }));
    assert.equal(names.size, 100 + 1);
  });
});

describe("a token", () => {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;

  it("that is genuine is verified once", async () => {
    let asked = 0;
    const verified = rememberVerified(async (token) => ({ sub: `${token}${++asked}`, exp: inAnHour }));
    assert.deepEqual(
      [(await verified("a"))?.sub, (await verified("a"))?.sub, (await verified("b"))?.sub],
      ["a1", "a1", "b2"],
    );
  });

  it("that was refused is verified again", async () => {
    let asked = 0;
    const verified = rememberVerified(async () => (++asked === 1 ? null : { exp: inAnHour }));
    assert.equal(await verified("a"), null);
    assert.ok(await verified("a"));
  });

  it("that has expired is not remembered", async () => {
    let asked = 0;
    const verified = rememberVerified(async () => (++asked === 1 ? { exp: inAnHour - 3601 } : null));
    assert.ok(await verified("a"));
    assert.equal(await verified("a"), null);
  });
});
