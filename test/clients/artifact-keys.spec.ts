// `xvault artifact rekey`, and the key files that every command takes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { identity, recipient, strangerIdentity } from "../artifact/sealing.ts";
import { openDesk, strangerRecipient, without } from "./artifact-desk.ts";
import { program } from "./xvault.ts";

const run = promisify(execFile);

describe("xvault artifact rekey", () => {
  it("lets another key open an artifact, or it alone", async (t) => {
    const desk = await openDesk(t);
    const added = await desk.artifact("rekey", "sealed", "--key", "key", "--recipient", strangerRecipient);
    assert.deepEqual([added.exitCode, added.stdout], [0, "sealed opens for 2 keys now.\n"]);
    assert.equal((await desk.artifact("verify", "sealed", "--key", "stranger")).exitCode, 0);
    const args = ["sealed", "--key", "key", "--recipient", strangerRecipient, "--replace", "--json"];
    const replaced = await desk.artifact("rekey", ...args);
    assert.equal(replaced.exitCode, 0);
    const { directory: where, recipients } = JSON.parse(replaced.stdout);
    assert.deepEqual([where, recipients.length], ["sealed", 1]);
    assert.equal((await desk.artifact("list", "sealed", "--key", "key")).exitCode, 4);
    assert.equal((await desk.artifact("verify", "sealed", "--key", "stranger")).exitCode, 0);
    assert.deepEqual(await desk.files(), ["key", "sealed", "site", "stranger"]);
  });

  it("replaces what a link leads to, and finishes what was interrupted", async (t) => {
    const desk = await openDesk(t);
    await symlink("sealed", desk.at("link"));
    // As a process leaves it that was killed between the two renames.
    await run("mv", [desk.at("sealed"), desk.at(".replacing-sealed")]);
    const args = ["--key", "key", "--recipient", strangerRecipient, "--replace"];
    assert.equal((await desk.artifact("rekey", "sealed", ...args)).exitCode, 0);
    const back = ["--key", "stranger", "--recipient", recipient, "--replace"];
    assert.equal((await desk.artifact("rekey", "link", ...back)).exitCode, 0);
    assert.equal((await desk.artifact("verify", "sealed", "--key", "key")).exitCode, 0);
    assert.deepEqual(await desk.files(), ["key", "link", "sealed", "site", "stranger"]);
  });

  const refused: readonly [string, readonly string[], number, RegExp][] = [
    ["no recipient", ["--key", "key"], 2, /--recipient/],
    ["a recipient that is none", ["--key", "key", "--recipient", "age1"], 2, /^"age1" is no --recipient/],
    ["a key that does not open it", ["--key", "stranger", "--recipient", recipient], 4, /^None of the given keys/],
    ["a key file that is none", ["--key", "site/big", "--recipient", recipient], 2, /^site\/big is not a key file/],
  ];
  it("is refused for keys that are none or do not fit, and leaves the artifact as it was", async (t) => {
    const desk = await openDesk(t);
    const before = await readdir(desk.directory, { recursive: true });
    const sealed = await readFile(desk.at("sealed/backup.tar.zst.enc"));
    for (const [what, args, expected, message] of refused) {
      const { exitCode, stderr } = await desk.artifact("rekey", "sealed", ...args);
      assert.equal(exitCode, expected, what);
      assert.match(without(stderr), message);
      assert.deepEqual(await readdir(desk.directory, { recursive: true }), before, what);
      assert.ok((await readFile(desk.at("sealed/backup.tar.zst.enc"))).equals(sealed), what);
    }
  });

  it("throws no file away that is not the artifact's", async (t) => {
    const desk = await openDesk(t);
    await writeFile(desk.at("sealed/key"), identity);
    const { exitCode, stderr } = await desk.artifact(
      "rekey",
      "sealed",
      "--key",
      "sealed/key",
      "--recipient",
      recipient,
    );
    const message = "sealed holds more than the artifact (key): move that elsewhere first.\n";
    assert.deepEqual([exitCode, stderr], [1, message]);
    assert.equal(await readFile(desk.at("sealed/key"), "utf8"), identity);
  });
});

describe("a key file", () => {
  const keyFiles: Readonly<Record<string, string>> = {
    comments: "# nothing\n\n",
    broken: `${identity.slice(0, -1)}P`,
    two: `${identity}\nnot a key\n`,
    long: "x".repeat(10_000_000),
  };
  it("that is none ends with 2, and is not quoted", async (t) => {
    const desk = await openDesk(t);
    for (const [name, content] of Object.entries(keyFiles)) {
      await writeFile(desk.at(name), content);
      const { exitCode, stderr } = await desk.artifact("list", "sealed", "--key", name);
      assert.equal(exitCode, 2, name);
      assert.equal(stderr, `${name} is not a key file: each line of it has to be one whole AGE-SECRET-KEY-….\n`);
    }
    const { exitCode, stderr } = await desk.artifact("list", "sealed", "--key", "nowhere");
    assert.deepEqual(
      [exitCode, stderr],
      [2, "The key file nowhere cannot be read: there is no such file or directory.\n"],
    );
  });

  it("may hold several keys, comments, empty lines and the line ends of Windows, and may be a pipe", async (t) => {
    const desk = await openDesk(t);
    await writeFile(desk.at("many"), `# mine\r\n\r\n${strangerIdentity}\r\n  ${identity}\r\n`);
    assert.equal((await desk.artifact("list", "sealed", "--key", "many")).exitCode, 0);
    const piped = ["-c", '"$@" --key <(echo "$KEY")', "bash", process.execPath, program, "artifact", "list", "sealed"];
    await run("bash", piped, { cwd: desk.directory, env: { KEY: identity } });
  });
});
