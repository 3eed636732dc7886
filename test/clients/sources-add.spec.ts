// Adding a source from the command line: a real hub, a real worker, a real server, and the answers a person would give.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { stageWorker } from "../stage/data-plane.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { tree, writeTree } from "../stage/tree.ts";
import { type Home, makeHome, program } from "./xvault.ts";

describe("xvault sources", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let sshd: StagedOpenSsh;
  let acme: StagedTenant;
  let home: Home;

  before(async () => {
    hub = stack.use(await stageHub());
    sshd = stack.use(await stageOpenSsh());
    await writeTree(sshd.data, tree({ "index.html": "hello", "cache/x": "y" }), { owner: sshd.owner });
    stack.use(await stageWorker(hub));
    acme = await stageTenant(hub);
    home = stack.use(await makeHome());
    await home.keepSession(hub.graphqlUrl, { accessToken: acme.token });
  });
  after(() => stack.disposeAsync());

  const counts = async () => [await hub.running.hub.db.source.count(), await hub.running.hub.db.credential.count()];
  const rateOf = async (id: string) =>
    (await hub.running.hub.db.source.findUniqueOrThrow({ where: { id } })).maxBytesPerSecond;
  /** Type, name, host, port, user, key file, password, jump host, path, patterns; then what follows. */
  const answers = (password: string, ...then: string[]) =>
    [
      "2",
      "Web files",
      sshd.host,
      `${sshd.port}`,
      sshd.username,
      "",
      password,
      "no",
      sshd.data,
      "cache/, *.log",
      ...then,
    ]
      .map((line) => `${line}\n`)
      .join("");

  it("add asks, tests, shows what was found, and saves it with the host key that was accepted", async () => {
    const { exitCode, stdout, stderr } = await home.xvault(["sources", "add"], {
      input: answers(sshd.password, "yes"),
    });
    assert.equal(exitCode, 0, stderr);
    const source = await hub.running.hub.db.source.findUniqueOrThrow({ where: { id: stdout.trim() } });
    const { host, port, username, data: path } = sshd;
    assert.deepEqual(source.config, { host, port, username, path, exclude: ["cache/", "*.log"] });
    assert.equal(source.hostKey, sshd.hostKey);
    for (const shown of [sshd.hostKey, "OpenSSH_", "index.html", "Is it the right key"])
      assert.ok(stderr.includes(shown), stderr);
    assert.ok(!stderr.includes(sshd.password));
  });

  it("add keeps nothing, the secret least of all, where the test fails and one gives up", async () => {
    const before = await counts();
    const { exitCode, stderr } = await home.xvault(["sources", "add"], { input: answers("wrong", "no") });
    assert.equal(exitCode, 1);
    assert.match(stderr, /did not accept the sign-in.*\(SOURCE_AUTH_FAILED\)[\s\S]*Nothing was saved\.\n$/);
    assert.deepEqual(await counts(), before);
  });

  it("add asks again where the test failed and one wants to change something", async () => {
    const again = answers(sshd.password, "yes").split("\n").slice(2).join("\n");
    const { exitCode, stdout, stderr } = await home.xvault(["sources", "add"], {
      input: answers("wrong", "yes") + again,
    });
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^src_[0-9a-f]+\n$/);
  });

  it("add shows nothing of a password that is typed on a terminal", async () => {
    const line = [process.execPath, program, "sources", "add"].join(" ");
    const { stdout } = await home.xvault([], {
      command: ["script", "--quiet", "--return", "--command", line, "/dev/null"],
      input: answers("typed-and-hidden", "no"),
      inputAfter: "What is to be backed up: ",
    });
    assert.match(stdout, /Password: /);
    assert.ok(!stdout.slice(stdout.indexOf("Password: ")).includes("typed-and-hidden"), stdout);
  });

  it("add takes a description from a file, and a host key only if it is told to", async () => {
    const { host, port, username, data: path, password } = sshd;
    const source = { type: "SFTP", name: "Scripted", config: { host, port, username, path }, secret: { password } };
    await writeFile(join(home.directory, "source.json"), JSON.stringify(source), { mode: 0o600 });
    const before = await counts();
    const refused = await home.xvault(["sources", "add", "--from", "source.json"]);
    assert.equal(refused.exitCode, 1);
    assert.ok(refused.stderr.includes(sshd.hostKey), refused.stderr);
    assert.deepEqual(await counts(), before);
    const taken = await home.xvault(["sources", "add", "--from", "-", "--accept-host-key", "--max-rate", "1.5M"], {
      input: JSON.stringify(source),
    });
    assert.equal(taken.exitCode, 0, taken.stderr);
    assert.equal(await rateOf(taken.stdout.trim()), 1_500_000n);
    const wrong = await home.xvault(["sources", "add", "--from", "-"], { input: `{"type":"SFTP"}` });
    assert.deepEqual(
      [wrong.exitCode, wrong.stderr],
      [2, "- has to hold { type, name, config, secret }: look at name.\n"],
    );
  });

  it("limit says how fast a source is read, and lifts that again", async () => {
    const { host, port, username, data: path } = sshd;
    const credentialId = await acme.createCredential({ password: sshd.password });
    const sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
    const limited = await home.xvault(["sources", "limit", sourceId, "500K"]);
    assert.deepEqual(
      [limited.exitCode, limited.stdout],
      [0, `${sourceId} is read at 500 kB a second at most.\n`],
      limited.stderr,
    );
    assert.equal(await rateOf(sourceId), 500_000n);
    const refused = await home.xvault(["sources", "limit", sourceId, "fast"]);
    assert.deepEqual([refused.exitCode, refused.stderr], [2, "“fast” is no rate: say 500K, 20M or none.\n"]);
    assert.equal(await rateOf(sourceId), 500_000n);
    const lifted = await home.xvault(["sources", "limit", sourceId, "none"]);
    assert.deepEqual([lifted.exitCode, lifted.stdout], [0, `${sourceId} is read as fast as it can be.\n`]);
    assert.equal(await rateOf(sourceId), null);
    const unknown = await home.xvault(["sources", "limit", "src_1", "20M"]);
    assert.deepEqual([unknown.exitCode, unknown.stdout], [1, ""]);
  });

  it("test connects, and says what is found or what to change", async () => {
    const { host, port, username, data: path } = sshd;
    const credentialId = await acme.createCredential({ password: sshd.password });
    const good = await acme.createSftpSource({ host, port, username, path }, credentialId);
    const tested = await home.xvault(["sources", "test", good]);
    assert.equal(tested.exitCode, 0, tested.stderr);
    assert.match(tested.stdout, /^The source can be backed up\.\n {2}Server +OpenSSH_/);
    const bad = await acme.createSftpSource({ host, port, username, path: "/no/such/path" }, credentialId);
    const failed = await home.xvault(["sources", "test", bad]);
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stderr, /The path “\/no\/such\/path” does not exist on the server\. \(PATH_NOT_FOUND\)/);
  });
});
