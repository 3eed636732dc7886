// Whose a directory is, and what is never concluded from one that only looks like a store.
import assert from "node:assert/strict";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import { isStoreHere, markStore, openStore, sweepStore } from "../../worker/store.ts";

const log = pino({ level: "silent" });
const workerId = "wrk_1";

async function stageBase() {
  const base = await mkdtemp(join(tmpdir(), "xvault-store-"));
  return { base, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe("a worker's store", () => {
  it("is marked with its worker, and refuses another one", async () => {
    await using stage = await stageBase();
    const { base } = stage;
    await openStore(base, workerId);
    assert.equal(await isStoreHere(base, workerId), false);
    await markStore({ base, workerId, expected: 0, acceptEmpty: false });
    assert.deepEqual(JSON.parse(await readFile(join(base, ".xvault-store.json"), "utf8")), { workerId });
    assert.equal(await isStoreHere(base, workerId), true);
    assert.equal(await isStoreHere(base, "wrk_2"), false);
    await openStore(base, workerId);
    await markStore({ base, workerId, expected: 7, acceptEmpty: false });
    await assert.rejects(openStore(base, "wrk_2"), /the store of the worker wrk_1/);
    await writeFile(join(base, ".xvault-store.json"), "junk");
    await assert.rejects(openStore(base, workerId), /does not say whose store/);
    assert.equal(await isStoreHere(base, workerId), false);
  });

  it("is not taken for new where snapshots ought to be in it, unless the operator says that they are lost", async () => {
    await using stage = await stageBase();
    const { base } = stage;
    await assert.rejects(markStore({ base, workerId, expected: 10_000, acceptEmpty: false }), {
      message: `WORKER_STORAGE_BASE: ${base} is empty, and 10000 snapshots of this worker ought to be in it: mount its disk. If that disk is lost, start once with WORKER_ACCEPT_EMPTY_STORE=true, and they are marked as missing.`,
    });
    assert.equal(await isStoreHere(base, workerId), false);
    await markStore({ base, workerId, expected: 10_000, acceptEmpty: true });
    assert.equal(await isStoreHere(base, workerId), true);
  });

  it("loses unfinished drafts at start, and nothing else", async () => {
    await using stage = await stageBase();
    const snapshots = join(stage.base, "tenants/t1/sources/s1/snapshots");
    await mkdir(join(snapshots, "snp_1"), { recursive: true });
    await writeFile(join(snapshots, "snp_1/meta.json"), "{}");
    await mkdir(join(snapshots, ".staging-snp_9.1"));
    await sweepStore(await openStore(stage.base, workerId), log);
    assert.equal(await isThere(join(snapshots, ".staging-snp_9.1")), false);
    assert.equal(await isThere(join(snapshots, "snp_1/meta.json")), true);
  });
});
