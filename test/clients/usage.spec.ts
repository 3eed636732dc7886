import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GraphQLError } from "graphql";
import { startSmallHub } from "./small-hub.ts";
import { makeHome, program } from "./xvault.ts";

const wrongUsage: [string, string[]][] = [
  ["no command", []],
  ["an unknown command", ["bogus"]],
  ["an unknown option", ["sources", "--bogus"]],
  ["a missing argument", ["backup", "start"]],
  ["a missing option", ["restore", "snp_1"]],
  ["a form that is none", ["restore", "snp_1", "--out", "x", "--form", "rar"]],
  ["an address that is none", ["sign-in", "--url", "vault.example.com", "--email", "ada@example.com"]],
  ["a password among the arguments", ["sign-in", "--url", "http://127.0.0.1:1", "--email", "a@b.c", "--password", "x"]],
];

describe("xvault", () => {
  for (const [name, args] of wrongUsage)
    it(`ends with 2 for ${name}`, async () => {
      await using home = await makeHome();
      const { exitCode, stdout, stderr } = await home.xvault(args);
      assert.equal(exitCode, 2);
      assert.equal(stdout, "");
      assert.ok(args.length === 0 ? stderr.startsWith("Usage:") : /^[^\n]+\n$/.test(stderr), stderr);
    });

  it("explains itself and its exit codes", async () => {
    await using home = await makeHome();
    const { exitCode, stdout } = await home.xvault(["--help"]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /Exit codes: 0 fine, 1 refused or failed, 2 wrong usage, 3 not signed in/);
  });

  const commands = [["sources"], ["restore", "snp_1", "--out", "x.tar"]];
  for (const args of commands)
    it(`ends with 3 for "${args.join(" ")}" of somebody who is not signed in`, async () => {
      await using home = await makeHome();
      const outcome = await home.xvault(args);
      const stderr = 'You are not signed in: run "xvault sign-in" first.\n';
      assert.deepEqual(outcome, { exitCode: 3, stdout: "", stderr });
    });

  it("ends with 3 where the sign-in has expired, by its date or by the hub's word", async () => {
    await using hub = await startSmallHub({
      Query: {
        tenants: () => {
          throw new GraphQLError("Sign in first.", { extensions: { code: "UNAUTHENTICATED" } });
        },
      },
      Mutation: {
        refreshSession: () => ({
          __typename: "SessionEndedError",
          code: "SESSION_ENDED",
          message: "This session has ended: sign in again.",
        }),
      },
    });
    await using home = await makeHome();
    await home.keepSession(hub.url);
    const refused = await home.xvault(["sources"]);
    assert.deepEqual([refused.exitCode, refused.stderr.split("\n").length], [3, 2]);
    await home.keepSession(hub.url, { refreshTokenExpiresAt: "2020-01-01T00:00:00.000Z" });
    const expired = await home.xvault(["sources"]);
    assert.deepEqual(
      [expired.exitCode, expired.stderr],
      [3, 'Your sign-in has expired: run "xvault sign-in" again.\n'],
    );
  });

  it("says in one sentence that the hub cannot be reached, and ends with 1", async () => {
    await using home = await makeHome();
    await home.keepSession("http://127.0.0.1:1/graphql");
    const { exitCode, stderr } = await home.xvault(["sources"]);
    assert.deepEqual([exitCode, stderr], [1, "The hub at http://127.0.0.1:1 cannot be reached.\n"]);
  });

  it("refuses an older Node before it loads what that could not", async () => {
    await using home = await makeHome();
    const older = "Object.defineProperty(process,'versions',{value:{...process.versions,node:'22.18.0'}})";
    const command = [process.execPath, "--import", `data:text/javascript,${older}`, program] as const;
    const outcome = await home.xvault(["sources"], { command: [...command] });
    const stderr = "xvault needs Node 24 or newer; this is Node 22.18.0.\n";
    assert.deepEqual(outcome, { exitCode: 1, stdout: "", stderr });
  });

  it("hands migrate over, with its exit code", async () => {
    await using home = await makeHome();
    const { exitCode, stderr } = await home.xvault(["migrate", "--status"]);
    assert.deepEqual([exitCode, stderr], [1, "Set DATABASE_URL to the database that is to be migrated.\n"]);
  });

  it("hands what is for operators over, with its exit code", async () => {
    await using home = await makeHome();
    const rotation = await home.xvault(["keys", "rotate-kek"], { env: { HUB_ENCRYPTION_KEK: "c2hvcnQ=" } });
    assert.equal(rotation.exitCode, 1);
    assert.match(rotation.stderr, /^DATABASE_URL is not set to an address/m);
    assert.match(rotation.stderr, /^HUB_ENCRYPTION_KEK holds 5 bytes; it has to be 32/m);
    const { exitCode } = await home.xvault(["keys", "rotate-kek", "--bogus"]);
    assert.equal(exitCode, 2);
  });
});
