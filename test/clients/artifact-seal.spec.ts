// `xvault artifact seal`, as a person or a script runs it: what it prints, how it ends, and what it leaves behind.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { generateHybridIdentity, identityToRecipient } from "age-encryption";
import { identity, noise, recipient } from "../artifact/sealing.ts";
import { available } from "../stage/available.ts";
import { assertTree, fifo, tree, writeTree } from "../stage/tree.ts";
import { big, isSentence, openDesk, site, without } from "./artifact-desk.ts";

const run = promisify(execFile);

describe("xvault artifact seal", () => {
  it("makes four files and says how much became how little", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    const { exitCode, stdout, stderr } = await desk.artifact(
      "seal",
      "site",
      "--recipient",
      recipient,
      "--out",
      "far/sealed",
    );
    assert.deepEqual([exitCode, without(stderr)], [0, ""]);
    assert.match(stdout, /^far\/sealed {2}4 files, 3\.00 MB → 3\.0\d MB, \d+\.\d s\n$/);
    const names = await readdir(desk.at("far/sealed"));
    assert.deepEqual(names.sort(), ["backup.tar.zst.enc", "catalogue.zst.enc", "manifest.json", "meta.json"]);
    assert.deepEqual(await readdir(desk.at("far")), ["sealed"]);
  });

  it("says the same as JSON", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    const { exitCode, stdout } = await desk.artifact(
      "seal",
      "site",
      "--recipient",
      recipient,
      "--out",
      "sealed",
      "--json",
    );
    assert.equal(exitCode, 0);
    const told = JSON.parse(stdout);
    assert.deepEqual([told.directory, told.fileCount, told.plainBytes], ["sealed", 4, 3_000_013]);
    assert.match(told.manifestSha256, /^[0-9a-f]{64}$/);
  });

  it("opens with age, zstd and tar", { skip: available("age") ?? available("zstd") ?? false }, async (t) => {
    const desk = await openDesk(t);
    await mkdir(desk.at("out"));
    const pipe = "age -d -i key sealed/backup.tar.zst.enc | zstd -d | tar -x -C out";
    await run("bash", ["-o", "pipefail", "-c", pipe], { cwd: desk.directory });
    await assertTree(desk.at("out"), site);
  });

  it("seals a single file, and to several keys of both kinds", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    const hybrid = await generateHybridIdentity();
    await writeFile(desk.at("hybrid"), hybrid);
    const recipients = [recipient, await identityToRecipient(hybrid)].flatMap((each) => ["--recipient", each]);
    assert.equal((await desk.artifact("seal", "site/big", ...recipients, "--out", "sealed")).exitCode, 0);
    for (const key of ["key", "hybrid"]) {
      assert.equal((await desk.artifact("extract", "sealed", "--key", key, "--out", `by ${key}`)).exitCode, 0);
      await assertTree(desk.at(`by ${key}`), tree({ big }));
    }
  });

  it("tells what it left out, without what a terminal would obey", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    await writeTree(desk.at("site"), tree({ "pipe\u001b[2J": fifo }));
    const { exitCode, stderr } = await desk.artifact("seal", "site", "--recipient", recipient, "--out", "sealed");
    assert.equal(exitCode, 0);
    assert.equal(
      without(stderr),
      "SPECIAL_SKIPPED pipe�[2J: Left out: it is neither a file nor a directory nor a link.\n",
    );
  });

  const refused: readonly [string, readonly string[], RegExp][] = [
    ["no recipient", ["site", "--out", "x"], /--recipient/],
    ["no --out", ["site", "--recipient", recipient], /--out/],
    ["a recipient that is none", ["site", "--recipient", "age1xyz", "--out", "x"], /^"age1xyz" is no --recipient/],
    ["a cut recipient", ["site", "--recipient", recipient.slice(0, -1), "--out", "x"], /is no --recipient/],
    [
      "something that is not there",
      ["nowhere", "--recipient", recipient, "--out", "x"],
      /^nowhere cannot be read: there is no/,
    ],
    ["a pipe", ["pipe", "--recipient", recipient, "--out", "x"], /^pipe is neither a file nor a directory\./],
    ["an --out that is there", ["site", "--recipient", recipient, "--out", "empty"], /^empty is there already/],
    ["an --out in what is sealed", ["site", "--recipient", recipient, "--out", "site/a/x"], /^site\/a\/x lies in site/],
    ["the same behind a link", ["site", "--recipient", recipient, "--out", "way/x/y"], /^way\/x\/y lies in site/],
  ];
  it("ends with 2 for what cannot be sealed or written, and leaves nothing", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    await mkdir(desk.at("empty"));
    execFileSync("mkfifo", [desk.at("pipe")]);
    await symlink("site/a", desk.at("way"));
    const before = await readdir(desk.directory, { recursive: true });
    for (const [what, args, message] of refused) {
      const { exitCode, stdout, stderr } = await desk.artifact("seal", ...args);
      assert.deepEqual([exitCode, stdout], [2, ""], what);
      assert.match(stderr, message);
      assert.ok(isSentence(stderr) || stderr.startsWith("error: "), stderr);
      assert.deepEqual(await readdir(desk.directory, { recursive: true }), before, what);
    }
  });

  it("does not repeat a private key that was given for a public one", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    const { exitCode, stderr } = await desk.artifact("seal", "site", "--recipient", identity, "--out", "x");
    assert.equal(exitCode, 2);
    assert.ok(!stderr.includes(identity.slice(20)) && isSentence(stderr), stderr);
  });

  it("ends with 130 when it is interrupted, and leaves nothing", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    for (let n = 0; n < 10; n++) await writeFile(desk.at(`site/more${n}`), noise(40_000_000));
    const outcome = await desk.xvault(["artifact", "seal", "site", "--recipient", recipient, "--out", "far/sealed"], {
      interruptAfter: "Sealing of site: sealing",
    });
    assert.deepEqual([outcome.exitCode, without(outcome.stderr), outcome.stdout], [130, "Interrupted.\n", ""]);
    assert.deepEqual(await readdir(desk.at("far")), []);
  });
});
