import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type SmallHub, startSmallHub, token } from "./small-hub.ts";
import { makeHome, program } from "./xvault.ts";

const password = "correct horse battery staple";
const terms = { expiresAt: "2999-01-01T00:15:00.000Z", refreshTokenExpiresAt: "2999-01-31T00:00:00.000Z" };

function hubOfAda(): Promise<SmallHub> {
  const user = { id: "usr_1", email: "ada@example.com", name: "Ada", platformAdmin: false };
  return startSmallHub({
    Mutation: {
      signIn: (_parent, { input }) =>
        (input as { password: string }).password === password
          ? { __typename: "SignInPayload", accessToken: token, refreshToken: "xvr_1", ...terms, user }
          : {
              __typename: "SignInFailedError",
              code: "SIGN_IN_FAILED",
              message: "The e-mail address or the password is wrong.",
            },
    },
  });
}

function args(hub: SmallHub, ...more: string[]): string[] {
  return ["sign-in", "--url", hub.url, "--email", "ada@example.com", ...more];
}

describe("xvault sign-in", () => {
  it("takes the password from standard input and keeps the token where nobody else can read it", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    const { exitCode, stdout, stderr } = await home.xvault(args(hub), { input: `${password}\nand more` });
    const expected = [0, "Signed in as ada@example.com until 2999-01-31 00:00Z, and longer where you use it.\n", ""];
    assert.deepEqual([exitCode, stdout, stderr], expected);
    const kept = JSON.parse(await readFile(home.sessionFile, "utf8"));
    assert.deepEqual(kept, {
      url: hub.url,
      email: "ada@example.com",
      accessToken: token,
      refreshToken: "xvr_1",
      ...terms,
    });
    assert.equal((await stat(home.sessionFile)).mode & 0o777, 0o600);
    assert.equal((await stat(join(home.sessionFile, ".."))).mode & 0o777, 0o700);
  });

  it("takes the hub's own address for the API's", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    const { origin } = new URL(hub.url);
    const command = ["sign-in", "--url", origin, "--email", "ada@example.com"];
    assert.equal((await home.xvault(command, { input: password })).exitCode, 0);
    assert.equal(JSON.parse(await readFile(home.sessionFile, "utf8")).url, hub.url);
  });

  it("takes the password from a file", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    await writeFile(join(home.directory, "password"), `${password}\n`);
    assert.equal((await home.xvault(args(hub, "--password-file", "password"))).exitCode, 0);
  });

  it("asks on a terminal, and shows nothing of what is typed", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    const line = [process.execPath, program, ...args(hub)].join(" ");
    const { exitCode, stdout } = await home.xvault([], {
      command: ["script", "--quiet", "--return", "--command", line, "/dev/null"],
      input: `${password}\n`,
      // A terminal echoes what comes before the question itself; a person waits for it.
      inputAfter: "Password: ",
    });
    assert.match(stdout, /^Password: \r?\nSigned in as ada@example.com/);
    assert.ok(!stdout.includes(password));
    assert.equal(exitCode, 0);
  });

  it("says the hub's own sentence where the password is wrong, keeps nothing, and ends with 1", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    const outcome = await home.xvault(args(hub), { input: "wrong\n" });
    assert.deepEqual(outcome, { exitCode: 1, stdout: "", stderr: "The e-mail address or the password is wrong.\n" });
    await assert.rejects(stat(home.sessionFile), { code: "ENOENT" });
  });

  it("ends with 2 where there is no password at all", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    assert.deepEqual(await home.xvault(args(hub)), { exitCode: 2, stdout: "", stderr: "No password was given.\n" });
  });
});
