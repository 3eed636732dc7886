// The data directory of the one-command mode: closed, one stack's at a time, and careful with the key of everything.
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { openHome } from "../../server/one-machine/home.ts";

const temporary = await mkdtemp(join(tmpdir(), "xvault-homes-"));
after(() => rm(temporary, { recursive: true }));
const newHome = (name: string) => join(temporary, name);

describe("a home", () => {
  it("is closed to others, and so are its secrets", async () => {
    await using home = await openHome(newHome("closed"));
    assert.equal((await stat(home.directory)).mode & 0o777, 0o700);
    for (const name of ["kek", "jwt-secret"])
      assert.equal((await stat(join(home.directory, "secrets", name))).mode & 0o777, 0o600);
    assert.equal(Buffer.from(home.kek, "base64").length, 32);
    assert.ok(Buffer.from(home.jwtSecret, "base64url").length >= 32);
  });

  it("is closed again where it was made open", async () => {
    const directory = await mkdtemp(join(temporary, "open-"));
    await chmod(directory, 0o777);
    await using home = await openHome(directory);
    assert.equal((await stat(home.directory)).mode & 0o067, 0);
  });

  it("keeps its secrets from start to start", async () => {
    const secrets = async () => {
      await using home = await openHome(newHome("kept"));
      return [home.kek, home.jwtSecret, await home.secret("other")];
    };
    assert.deepEqual(await secrets(), await secrets());
  });

  it("is one stack's at a time", async () => {
    {
      await using home = await openHome(newHome("locked"));
      await assert.rejects(openHome(home.directory), /Another xVault is running in/);
    }
    await using again = await openHome(newHome("locked"));
    assert.ok(again.kek);
  });

  it("does not make a new key for a database that was sealed with a lost one", async () => {
    const directory = newHome("lost-key");
    {
      await using home = await openHome(directory);
      await home.folder("postgres");
    }
    await rm(join(directory, "secrets/kek"));
    await assert.rejects(openHome(directory), /secrets\/kek is missing, and the database beside it is sealed/);
  });
});
