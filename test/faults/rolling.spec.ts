// What is promised of an upgrade (F41): processes go down in order while others go on, versions work side by side, and a migration may be killed.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { leaseOf, madeSnapshot, playWorker, testedSource } from "../private/played-worker.ts";
import { client, signIn } from "../stage/client.ts";
import { type StagedProcess, stageWorker } from "../stage/data-plane.ts";
import { stageHub } from "../stage/hub.ts";
import { missingOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, stageTenant, startJob } from "../stage/tenant.ts";
import { seededBytes, smallFiles, tree, writeTree } from "../stage/tree.ts";
import { stageBalancer } from "./kit/balancer.ts";
import { stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { killMigrationAt } from "./kit/killed-migration.ts";

describe("hubs and workers that are restarted one after another under load", { skip: missingOpenSsh ?? false }, () => {
  it("lose no job, let none fail, and each ends by itself within half a minute", async () => {
    await using sshd = await stageOpenSsh();
    const content = new Map([...smallFiles(40), ...tree({ "big.bin": seededBytes(8 * 1024 * 1024, "big") })]);
    await writeTree(sshd.data, content, { owner: sshd.owner });
    await using earth = await stageEarth();
    await using one = await stageHubProcess(earth);
    await using two = await stageHubProcess(earth);
    await using inner = await stageBalancer([one.privateUrl, two.privateUrl]);
    await using outer = await stageBalancer([one.publicUrl, two.publicUrl]);
    const ground = { ...earth, privateUrl: inner.url, graphqlUrl: `${outer.url}/graphql` };
    const acme = await stageTenant(ground);
    const credentialId = await acme.createCredential({ password: sshd.password });
    const { host, port, username, data: path, hostKey } = sshd;
    const sources: string[] = [];
    for (let count = 0; count < 2; count++) {
      const id = await acme.createSource("SSH", { host, port, username, path }, credentialId);
      await earth.db.source.update({ where: { id }, data: { hostKey } });
      sources.push(id);
    }
    const workers: StagedProcess[] = [await stageWorker(ground), await stageWorker(ground)];
    const jobs: string[] = [];
    let isOver = false;
    const ask = client(ground.graphqlUrl, await signIn(ground.graphqlUrl, earth.owner));
    const load = sources.map(async (sourceId) => {
      while (!isOver) {
        // A customer whose request meets a hub on its way out asks again.
        const jobId = await startJob(ask, "startBackup", sourceId).catch(() => null);
        if (jobId) {
          jobs.push(jobId);
          const ended = () => earth.db.job.count({ where: { id: jobId, endedAt: { not: null } } });
          while (!isOver && (await ended()) === 0) await pause(100);
        } else await pause(100);
      }
    });
    try {
      await pause(1_000);
      for (const hub of [one, two]) {
        await endsWell(hub, () => hub.child.exitCode);
        await hub.start();
      }
      for (const [index, worker] of [...workers].entries()) {
        await endsWell(worker, () => worker.child.exitCode);
        const { identity, storageBase } = worker;
        workers[index] = await stageWorker(ground, { identity, storageBase });
      }
      isOver = true;
      await Promise.all(load);
      assert.ok(jobs.length >= 2);
      for (const jobId of jobs) {
        const { status, errorCode } = await jobEnd(ask, jobId);
        assert.equal(status, "COMPLETED", errorCode);
      }
      const lost = await earth.db.job.findMany({ where: { workersLost: { gt: 0 } } });
      assert.deepEqual(lost, [], "a job had to be taken from a worker that had only been told to go");
      assert.equal(await earth.db.job.count({ where: { status: { not: "COMPLETED" } } }), 0);
      assert.equal(await earth.db.snapshot.count(), await earth.db.job.count());
    } finally {
      isOver = true;
      await Promise.allSettled(load);
      for (const worker of workers) await worker[Symbol.asyncDispose]();
    }
  });

  async function endsWell(process: { end(signal: "SIGTERM"): Promise<void> }, exitCode: () => number | null) {
    const since = performance.now();
    await process.end("SIGTERM");
    assert.equal(exitCode(), 0);
    assert.ok(performance.now() - since <= 30_000);
  }
});

/** What workers of protocol 1 say, word for word: these documents are out in the world. */
const ofProtocol1 = {
  hello: `query Hello($protocol: Int!) { hello(protocol: $protocol) { protocol oldestProtocol newestProtocol serverTime } }`,
  register: `mutation RegisterWorker($input: RegisterWorkerInput!) { registerWorker(input: $input) { workerId leaseSeconds heartbeatSeconds } }`,
  claim: `mutation ClaimJob($input: ClaimJobInput!) { claimJob(input: $input) {
    jobId tenantId type leaseEpoch leaseSeconds attempt
    source { sourceId type config hostKey jumpHostKey hasCredential }
    backup { snapshotId recipients maxBytes }
    snapshot { snapshotId sourceId manifestSha256 artifactSha256 storageWorkerId }
    restore { restoreId form selection tokenHash maxDownloadBytes fileName }
  } }`,
  renew: `mutation RenewLease($input: LeaseInput!) { renewLease(input: $input) { leaseSeconds cancelRequested } }`,
  complete: `mutation CompleteJob($input: CompleteJobInput!) { completeJob(input: $input) { jobId leaseEpoch } }`,
};

describe("a worker that speaks the protocol before this one", () => {
  it("works on, beside one that speaks this one", async () => {
    await using hub = await stageHub();
    const young = await playWorker(hub);
    const acme = await stageTenant(hub);
    const [first, second] = [await testedSource(acme, young), await testedSource(acme, young)];
    const { token } = await hub.enrol("BACKUP");
    const say = async (query: string, variables: Record<string, unknown>) => {
      const { data, errors } = await client(`${hub.privateUrl}/internal/graphql`, token)(query, variables);
      assert.equal(errors, undefined, errors?.[0]?.message);
      return data;
    };
    assert.equal((await say(ofProtocol1.hello, { protocol: 1 })).hello.protocol, 1);
    const capabilities = { version: "0", jobTypes: ["BACKUP"], sourceTypes: ["SFTP"], tools: {}, readsStoresOf: [] };
    const signOn = { protocol: 1, role: "BACKUP", publicKey: young.publicKey, storageBase: "/old", capabilities };
    await say(ofProtocol1.register, { input: signOn });
    const jobs = [await startJob(acme.ask, "startBackup", first), await startJob(acme.ask, "startBackup", second)];
    const { claimJob: job } = await say(ofProtocol1.claim, { input: { types: ["BACKUP"] } });
    const other = await young.take("BACKUP");
    assert.deepEqual(new Set([job.jobId, other.jobId]), new Set(jobs));
    await say(ofProtocol1.renew, { input: leaseOf(job) });
    await say(ofProtocol1.complete, { input: { ...leaseOf(job), snapshot: madeSnapshot(job) } });
    await young.api.completeJob({ ...leaseOf(other), snapshot: madeSnapshot(other) });
    for (const jobId of jobs) assert.equal((await jobEnd(acme.ask, jobId)).status, "COMPLETED");
  });
});

describe("a migration that is killed half-way", () => {
  it("is done by running it again, as if it had never been begun", async () => {
    for (const statement of [1, 60, 140]) await killMigrationAt(statement);
  });
});
