// F6: what is promised when hubs die: workers go on and report later, what was lost is done again, and another hub takes over.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type StagedProcess, stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { seededBytes, tree, writeTree } from "../stage/tree.ts";
import type { Fault } from "./kit/fault.ts";
import { findHalfWritten } from "./kit/half-written.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { keepBusy, untilBusyAgain } from "./kit/load.ts";
import { stageTwoHubs } from "./kit/two-hubs.ts";

describe("a hub killed in the middle of a backup", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let hub: HubProcess;
  let worker: StagedProcess;
  let acme: StagedTenant;
  let sourceId: string;

  before(async () => {
    const sshd = stack.use(await stageOpenSsh());
    await writeTree(sshd.data, tree({ "big.bin": seededBytes(32 * 1024 * 1024, "big") }), { owner: sshd.owner });
    earth = stack.use(await stageEarth());
    hub = stack.use(await stageHubProcess(earth, { env: { HUB_LEASE_SECONDS: "30" } }));
    worker = stack.use(await stageWorker(hub));
    acme = await stageTenant(hub);
    const credentialId = await acme.createCredential({ password: sshd.password });
    const { host, port, username, data: path } = sshd;
    sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
    await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
  });
  after(() => stack.disposeAsync());

  /** Resolves once a backup pulls its bytes. */
  async function pulling(): Promise<string> {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    while (!(await earth.db.jobEvent.count({ where: { jobId, facts: { path: ["phase"], equals: "PULLING" } } })))
      await pause(10);
    return jobId;
  }

  async function endOf(jobId: string) {
    const job = await jobEnd(acme.ask, jobId);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    assert.equal(await earth.db.snapshot.count({ where: { jobId } }), 1);
    assert.equal(worker.child.exitCode, null);
    return job;
  }

  it("hears of its end when it is back, from the same attempt", async (t) => {
    const jobId = await pulling();
    await hub.end("SIGKILL");
    // Longer than three renewals, and than the backup takes.
    await pause(3_500);
    const began = performance.now();
    await hub.start();
    t.diagnostic(`the API is back ${Math.round(performance.now() - began)} ms after the start`);
    assert.equal((await endOf(jobId)).attempt, 1);
  });

  it("has it done again where the lease ended meanwhile", async () => {
    const env = { HUB_LEASE_SECONDS: "4" };
    await hub.end("SIGTERM");
    await hub.start({ env });
    const jobId = await pulling();
    await hub.end("SIGKILL");
    await pause(4_500);
    await hub.start({ env });
    assert.ok((await endOf(jobId)).attempt > 1);
    assert.match(worker.lines.join("\n"), /job given up/);
  });
});

describe("two hubs behind a balancer", () => {
  /** Each of them under load, once: after a commit and before one, at different jobs' hands, and in the doorbell. */
  const faults: Pick<Fault, "at" | "nth">[] = [
    { at: "hub.before-commit", nth: 5 },
    { at: "hub.committed", nth: 5 },
    { at: "hub.committed", nth: 20 },
    { at: "relay.bells-locked", nth: 2 },
    { at: "relay.bells-rung", nth: 2 },
  ];

  it("let everybody go on, and lose nothing, wherever one of them is killed", async (t) => {
    await using earth = await stageEarth();
    const env = { HUB_LEASE_SECONDS: "2" };
    await using pair = await stageTwoHubs(earth, { env });
    await using load = await keepBusy(pair);
    const [mortal, other] = pair.hubs;
    for (const { at, nth = 1 } of faults) {
      await mortal.end("SIGKILL");
      const began = performance.now();
      await mortal.start({ env, fault: { at, action: "kill", nth } }).catch((error) => {
        // It may die of its fault before it was seen to be ready.
        if (mortal.child.signalCode !== "SIGKILL") throw error;
      });
      const readyMs = Math.round(performance.now() - began);
      await mortal.ended();
      assert.equal(mortal.child.signalCode, "SIGKILL", at);
      const againMs = Math.round(await untilBusyAgain(load));
      t.diagnostic(`${at} ${nth}: ready after ${readyMs} ms; killed, and others went on within ${againMs} ms`);
    }
    await load.stop();
    assert.equal(other.child.exitCode, null);
    // A request may have gone down with the hub; nobody was told anything else.
    for (const refusal of load.refusals) assert.match(refusal, /^(customer|worker) UNREACHABLE|^worker LEASE_LOST/);
    assert.deepEqual(await findHalfWritten(earth.db), []);
    const jobs = await earth.db.job.findMany({ where: { id: { in: [...load.started, ...load.ended] } } });
    const statuses = new Map(jobs.map(({ id, status }) => [id, status]));
    for (const id of load.started) assert.ok(statuses.has(id), "a job that was acknowledged is not there");
    for (const id of load.ended) assert.equal(statuses.get(id), "COMPLETED");
  });
});
