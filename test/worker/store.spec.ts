import assert from "node:assert/strict";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import type { HubClient } from "../../clients/hub/hub-client.ts";
import { cleanStore, openStore } from "../../worker/store.ts";

const log = pino({ level: "silent" });

async function stageBase(snapshots = 0) {
  const base = await mkdtemp(join(tmpdir(), "xvault-store-"));
  const directories = Array.from({ length: snapshots }, (_, n) => `tenants/t1/sources/s1/snapshots/snp_${n}`);
  for (const directory of directories) {
    await mkdir(join(base, directory), { recursive: true });
    await writeFile(join(base, directory, "meta.json"), "{}");
  }
  return { base, directories, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
}

/** A hub that knows all snapshots but these. */
function hubDisowning(disowned: (snapshotId: string) => boolean) {
  const pages: number[] = [];
  const reconcileStore = async ({ snapshotIds }: { snapshotIds: string[] }) => {
    pages.push(snapshotIds.length);
    return { remove: snapshotIds.filter(disowned) };
  };
  return { pages, hub: { reconcileStore } as unknown as HubClient };
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe("a worker's store", () => {
  it("is marked with its worker, and refuses another one", async () => {
    await using stage = await stageBase();
    await openStore(stage.base, "wrk_1");
    assert.deepEqual(JSON.parse(await readFile(join(stage.base, ".xvault-store.json"), "utf8")), { workerId: "wrk_1" });
    await openStore(stage.base, "wrk_1");
    await assert.rejects(openStore(stage.base, "wrk_2"), /the store of the worker wrk_1/);
    await writeFile(join(stage.base, ".xvault-store.json"), "junk");
    await assert.rejects(openStore(stage.base, "wrk_1"), /does not say whose store/);
  });

  it("loses unfinished drafts and disowned snapshots at start, and nothing else", async () => {
    await using stage = await stageBase(4);
    const draft = join(stage.base, "tenants/t1/sources/s1/snapshots/.staging-snp_9-1");
    await mkdir(draft);
    const { hub } = hubDisowning((id) => id === "snp_2");
    await cleanStore(await openStore(stage.base, "wrk_1"), hub, log);
    assert.equal(await isThere(draft), false);
    const left = await Promise.all(stage.directories.map((directory) => isThere(join(stage.base, directory))));
    assert.deepEqual(left, [true, true, false, true]);
  });

  it("is asked about in pages", async () => {
    await using stage = await stageBase(501);
    const { hub, pages } = hubDisowning(() => false);
    await cleanStore(await openStore(stage.base, "wrk_1"), hub, log);
    assert.deepEqual(pages, [500, 1]);
  });

  it("keeps everything where a hub disowns so much that its database must be an old one", async () => {
    await using stage = await stageBase(20);
    const { hub } = hubDisowning(() => true);
    await cleanStore(await openStore(stage.base, "wrk_1"), hub, log);
    for (const directory of stage.directories) assert.equal(await isThere(join(stage.base, directory)), true);
  });
});
