// The restore service as a whole: from a claimed job to a used-up link, through restarts, cancellations and lost leases.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import BeeQueue from "bee-queue";
import { Redis } from "ioredis";
import { doorbellQueue } from "../../clients/hub/doorbell.ts";
import { PreparedDownloads } from "../../restore/prepared.ts";
import { stageRedis } from "../stage/redis.ts";
import { file } from "./entries.ts";
import { ask } from "./link-client.ts";
import { sealSnapshot, type Wish } from "./sealed-store.ts";
import { type StagedService, stageService } from "./staged-service.ts";
import { Refusal } from "./stand-in-hub.ts";

const quickLease = () => ({ workerId: "wrk_restore", leaseSeconds: 60, heartbeatSeconds: 0.2 });
const never = () => new Promise(() => {});

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(50);
  }
}

async function prepared(staged: StagedService, wish: Wish = {}) {
  const snapshot = await sealSnapshot(staged.store, [file("hello.txt", "hello")]);
  const started = staged.start(snapshot, wish);
  await until("the link works", async () => (await ask(staged.url(started.path), { method: "HEAD" })).status === 200);
  return started;
}

/** What a process leaves that dies between publishing and hearing the hub's answer. */
async function leaveUnconfirmed({ restores }: StagedService): Promise<{ restoreId: string; path: string }> {
  const downloads = await PreparedDownloads.open(dirname(restores));
  const token = randomBytes(32).toString("base64url");
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  const restoreId = "rst_unconfirmed";
  await using draft = await downloads.begin(restoreId);
  await writeFile(draft.path, "plaintext");
  const facts = { restoreId, jobId: "job_9", leaseEpoch: 4, tokenHash: digest(token), fileName: "a.tar", size: 9 };
  await draft.publish({ ...facts, sha256: digest("plaintext"), expiresAt: null, ended: null });
  return { restoreId, path: `/download/${token}` };
}

describe("the restore service", { concurrency: 2 }, () => {
  it("takes a job, serves its link once, and tells the hub", async (t) => {
    const staged = await stageService(t);
    const { restoreId, path } = await prepared(staged, { form: "TAR" });
    const { role, capabilities } = staged.hub.inputs("registerWorker").at(-1) ?? {};
    assert.equal(role, "RESTORE");
    assert.deepEqual(
      { ...(capabilities as object), version: "", tools: {} },
      {
        ...{ version: "", jobTypes: ["RESTORE", "VERIFY"], sourceTypes: [], tools: {} },
        readsStoresOf: ["wrk_store"],
      },
    );
    assert.equal((await ask(staged.url("/ready"))).status, 200);
    assert.match((await ask(staged.url(path))).body.toString("latin1"), /hello\.txt/);
    await until("the fetch is recorded", () => staged.hub.inputs("recordFetch").length === 1);
    assert.deepEqual(staged.hub.inputs("recordFetch"), [{ restoreId }]);
    assert.equal((await ask(staged.url(path))).status, 410);
    await until("the file is wiped", () => !existsSync(join(staged.restores, restoreId, "download")));
    assert.equal(staged.logged.join("").includes(path.slice("/download/".length)), false);
  });

  it("keeps its links over a restart, also those that were used up", async (t) => {
    const staged = await stageService(t);
    const used = await prepared(staged);
    const kept = await prepared(staged);
    const { etag } = (await ask(staged.url(kept.path), { method: "HEAD" })).headers;
    await ask(staged.url(used.path));
    await until("the link is used up", async () => (await ask(staged.url(used.path))).status === 410);
    await staged.end();
    await staged.launch();
    assert.equal((await ask(staged.url(used.path))).status, 410);
    const answer = await ask(staged.url(kept.path));
    assert.deepEqual([answer.status, answer.headers.etag], [200, etag]);
  });

  it("wipes at its start what was left unfinished, and withdraws what the hub no longer wants served", async (t) => {
    const staged = await stageService(t);
    const { restoreId, path } = await prepared(staged);
    await staged.end();
    await mkdir(join(staged.restores, "rst_unfinished"));
    await writeFile(join(staged.restores, "rst_unfinished", "download.partial"), "plaintext");
    staged.hub.answers.reconcileRestores = () => ({ serve: [] });
    await staged.launch();
    assert.deepEqual(await readdir(staged.restores), [restoreId]);
    await until("the link is withdrawn", async () => (await ask(staged.url(path))).status === 410);
    await until("the file is wiped", () => !existsSync(join(staged.restores, restoreId, "download")));
  });

  it("ends a link that is revoked within seconds, and says so", async (t) => {
    const staged = await stageService(t);
    const [revoked, kept] = [await prepared(staged), await prepared(staged)];
    staged.hub.answers.reconcileRestores = ({ restoreIds }) => ({
      serve: (restoreIds as string[]).filter((id) => id !== revoked.restoreId),
    });
    await until(
      "the link is revoked",
      async () => (await ask(staged.url(revoked.path), { method: "HEAD" })).status === 410,
    );
    assert.match((await ask(staged.url(revoked.path))).body.toString(), /This link has been revoked\./);
    await until("the file is wiped", () => !existsSync(join(staged.restores, revoked.restoreId, "download")));
    assert.equal((await ask(staged.url(kept.path), { method: "HEAD" })).status, 200);
  });

  it("serves what it had published before it died, once the hub confirms it", async (t) => {
    const staged = await stageService(t);
    await staged.end();
    const { path } = await leaveUnconfirmed(staged);
    await staged.launch();
    await until("the link works", async () => (await ask(staged.url(path))).body.toString() === "plaintext");
    const [completion] = staged.hub.inputs("completeRestore");
    assert.deepEqual(completion, { jobId: "job_9", leaseEpoch: 4, sizeBytes: 9 });
  });

  it("wipes what it had published before it died, where the lease was lost meanwhile", async (t) => {
    const staged = await stageService(t);
    await staged.end();
    const { path } = await leaveUnconfirmed(staged);
    staged.hub.answers.completeRestore = () => {
      throw new Refusal("LEASE_LOST");
    };
    await staged.launch();
    await until("nothing is left", async () => (await readdir(staged.restores)).length === 0);
    assert.equal((await ask(staged.url(path))).status, 404);
  });

  it("wipes a download when it expires", async (t) => {
    const staged = await stageService(t);
    staged.hub.answers.completeRestore = () => ({ expiresAt: new Date(Date.now() + 3_000).toISOString() });
    const { restoreId, path } = await prepared(staged);
    await until("the file is wiped", () => !existsSync(join(staged.restores, restoreId, "download")));
    assert.equal((await ask(staged.url(path))).status, 410);
    assert.deepEqual(staged.hub.inputs("recordFetch"), []);
  });

  it("gives up a canceled restore, and says so", async (t) => {
    const staged = await stageService(t);
    Object.assign(staged.hub.answers, { registerWorker: quickLease, claimSecrets: never });
    staged.hub.answers.renewLease = () => ({ leaseSeconds: 60, cancelRequested: true });
    await staged.end();
    await staged.launch();
    staged.start(await sealSnapshot(staged.store, [file("a", "a")]));
    await until("the end is reported", () => staged.hub.inputs("failJob").length === 1);
    assert.equal(staged.hub.inputs("failJob")[0]?.code, "CANCELED");
    assert.deepEqual(await readdir(staged.restores), []);
  });

  it("gives up a restore whose lease is lost, in silence", async (t) => {
    const staged = await stageService(t);
    Object.assign(staged.hub.answers, { registerWorker: quickLease, claimSecrets: never });
    staged.hub.answers.renewLease = () => {
      throw new Refusal("LEASE_LOST");
    };
    await staged.end();
    await staged.launch();
    staged.start(await sealSnapshot(staged.store, [file("a", "a")]));
    await until("it is given up", () => staged.logged.some((line) => line.includes("job given up")));
    assert.deepEqual(staged.hub.inputs("failJob"), []);
    assert.deepEqual(await readdir(staged.restores), []);
  });

  it("hears the bells of its own work, and leaves those for backup workers to them", async (t) => {
    await using redis = await stageRedis();
    await stageService(t, { redisUrl: redis.url });
    const client = new Redis(redis.url);
    try {
      for (const workerId of [null, "wrk_restore"]) {
        const settings = { redis: { url: redis.url }, isWorker: false, getEvents: false };
        const queue = new BeeQueue(doorbellQueue(workerId), settings);
        await queue.createJob({ jobId: "job_1" }).save();
        await queue.close();
      }
      await until("its own bell is heard", async () => (await client.llen("bq:xvault-wrk_restore:waiting")) === 0);
      await pause(200);
      assert.equal(await client.llen("bq:xvault:waiting"), 1);
    } finally {
      client.disconnect();
    }
  });

  it("learns of a store that was marked after its start", async (t) => {
    const staged = await stageService(t);
    await until("it is admitted", () => staged.hub.inputs("registerWorker").length === 1);
    await sealSnapshot(staged.store, [file("a", "a")]);
    await until("it registers anew", () => staged.hub.inputs("registerWorker").length === 2);
  });
});
