// `xvault artifact inspect`, `verify` and `list`: what they say of a whole artifact, and of one that is not.
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { localDirectory, seal } from "#artifact/node";
import { file, sealOptions } from "../artifact/sealing.ts";
import { damage, isSentence, openDesk, without } from "./artifact-desk.ts";

describe("xvault artifact inspect", () => {
  it("says what anybody may know, without a key", async (t) => {
    const desk = await openDesk(t);
    const { exitCode, stdout, stderr } = await desk.artifact("inspect", "sealed");
    assert.deepEqual([exitCode, stderr], [0, ""]);
    assert.match(stdout, /^holds {7}4 files, 3 directories, 1 link, 3\.00 MB$/m);
    assert.match(stdout, /^complete {4}yes$/m);
    assert.match(stdout, /^opens for {3}X25519 sha256:[0-9a-f]{64}$/m);
    assert.ok(!stdout.includes("1.txt"));
    const json = await desk.artifact("inspect", "sealed", "--json");
    assert.deepEqual(JSON.parse(json.stdout), JSON.parse(await readFile(desk.at("sealed/manifest.json"), "utf8")));
  });

  it("says nothing that a terminal would obey, whoever wrote the manifest", async (t) => {
    const desk = await openDesk(t);
    const manifest = (await readFile(desk.at("sealed/manifest.json"), "utf8")).replace('"tar/pax"', '"\\u001b[2J"');
    await writeFile(desk.at("sealed/manifest.json"), manifest);
    const sha256 = hash("sha256", manifest);
    const meta = await readFile(desk.at("sealed/meta.json"), "utf8");
    await writeFile(desk.at("sealed/meta.json"), meta.replace(/[0-9a-f]{64}/, sha256));
    const { exitCode, stdout } = await desk.artifact("inspect", "sealed");
    assert.equal(exitCode, 0);
    assert.ok(stdout.includes("�[2J") && !stdout.includes("\u001b"));
  });
});

describe("xvault artifact verify", () => {
  it("proves the bytes without a key, and the entries with one", async (t) => {
    const desk = await openDesk(t);
    const bytes = await desk.artifact("verify", "sealed");
    assert.deepEqual([bytes.exitCode, without(bytes.stderr)], [0, ""]);
    assert.match(bytes.stdout, /^sealed is whole: 3\.0\d MB are as they were sealed\.\n$/);
    const contents = await desk.artifact("verify", "sealed", "--key", "key");
    assert.deepEqual(
      [contents.exitCode, contents.stdout],
      [0, "sealed is whole: 4 files, 3.00 MB, open and are right.\n"],
    );
    const json = JSON.parse((await desk.artifact("verify", "sealed", "--key", "key", "--json")).stdout);
    assert.deepEqual([json.directory, json.depth], ["sealed", "CONTENTS"]);
  });

  it("ends with 5 for a damaged artifact, says where, and 4 for a wrong key", async (t) => {
    const desk = await openDesk(t);
    const wrong = await desk.artifact("verify", "sealed", "--key", "stranger");
    assert.deepEqual([wrong.exitCode, without(wrong.stderr)], [4, "None of the given keys opens this backup.\n"]);
    await damage(desk.at("sealed/backup.tar.zst.enc"), 2_000_000);
    for (const args of [[], ["--key", "key"]]) {
      const { exitCode, stdout, stderr } = await desk.artifact("verify", "sealed", ...args);
      assert.deepEqual([exitCode, stdout], [5, ""]);
      assert.equal(
        without(stderr),
        "backup.tar.zst.enc is damaged: its bytes are not those that were sealed (in the 16.8 MB from byte 0 on).\n",
      );
    }
  });

  it("ends with 5 where a file is missing or changed, and with 1 where there is none", async (t) => {
    const desk = await openDesk(t);
    for (const name of ["manifest.json", "backup.tar.zst.enc"]) {
      const kept = await readFile(desk.at(`sealed/${name}`));
      await damage(desk.at(`sealed/${name}`), 20);
      const changed = await desk.artifact("verify", "sealed");
      assert.ok(changed.exitCode === 5 && isSentence(without(changed.stderr)), `${name}: ${changed.stderr}`);
      await rm(desk.at(`sealed/${name}`));
      const missing = await desk.artifact("verify", "sealed");
      assert.deepEqual([missing.exitCode, without(missing.stderr)], [5, `${name} is damaged: it is missing.\n`]);
      await writeFile(desk.at(`sealed/${name}`), kept);
    }
    for (const nothing of ["nowhere", "site"]) {
      const { exitCode, stderr } = await desk.artifact("verify", nothing);
      assert.deepEqual([exitCode, stderr], [1, `There is no artifact in ${nothing}.\n`]);
    }
  });
});

describe("xvault artifact list", () => {
  it("lists the entries as a table and as JSON", async (t) => {
    const desk = await openDesk(t);
    const { exitCode, stdout } = await desk.artifact("list", "sealed", "--key", "key");
    assert.equal(exitCode, 0);
    const [heading = "", ...rows] = stdout.trimEnd().split("\n");
    assert.match(heading, /^MODE +SIZE +CHANGED +PATH$/);
    const names = ["a/", "a/1.txt", "a/b/", "a/b/2.txt", "big", "empty/", "l -> a/1.txt", "ü 🎉"];
    assert.deepEqual(
      rows.map((row) => row.replace(/^.*Z {2}/, "")),
      names,
    );
    const listed = JSON.parse((await desk.artifact("list", "sealed", "--key", "key", "--json")).stdout);
    assert.equal(listed.length, names.length);
    assert.deepEqual([listed[1].path, listed[1].kind, listed[1].size], ["a/1.txt", "file", 3]);
  });

  it("lists times that no calendar has, and unpacks what has them", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    const mtimes = [9e15, -9e15];
    const entries = mtimes.map((mtimeMs, index) => file(`f${index}`, "x", { mtimeMs }));
    await seal({ ...sealOptions(entries), storage: localDirectory(desk.at("sealed")) });
    const { exitCode, stdout } = await desk.artifact("list", "sealed", "--key", "key");
    assert.equal(exitCode, 0);
    assert.deepEqual(stdout.match(/\d{4}-\d\d-\d\d \d\d:\d\dZ/g), ["9999-12-31 23:59Z", "0000-01-01 00:00Z"]);
    assert.equal((await desk.artifact("extract", "sealed", "--key", "key", "--out", "out")).exitCode, 0);
  });

  it("ends with 4 for a wrong key and with 5 for a damaged catalogue", async (t) => {
    const desk = await openDesk(t);
    assert.equal((await desk.artifact("list", "sealed", "--key", "stranger")).exitCode, 4);
    await damage(desk.at("sealed/catalogue.zst.enc"), 400);
    const { exitCode, stderr } = await desk.artifact("list", "sealed", "--key", "key");
    assert.ok(exitCode === 5 && isSentence(stderr), stderr);
  });
});

describe("xvault artifact", () => {
  it("explains every command and all exit codes", async (t) => {
    const desk = await openDesk(t, { sealed: false });
    for (const command of [[], ["rekey"]]) {
      const { exitCode, stdout } = await desk.artifact(...command, "--help");
      assert.equal(exitCode, 0);
      assert.match(stdout, /Exit codes: 0 fine, 1 refused or failed, 2 wrong usage, 4 no key fits, 5 damaged, 130/);
    }
  });
});
