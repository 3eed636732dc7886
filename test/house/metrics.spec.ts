// What the three processes tell Prometheus, asked for as Prometheus does: valid, moving with what happens, and nobody's secret.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Registry } from "prom-client";
import type { Prisma } from "../../prisma/client/client.ts";
import { connectDatabase } from "../../prisma/connect.ts";
import { tellDatabaseFigures } from "../../server/metrics/database-figures.ts";
import { mostSources } from "../../server/metrics/database-questions.ts";
import { freePort } from "../../server/one-machine/port.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "../faults/kit/hub-process.ts";
import { type StagedProcess, stageRestore, stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { tree, writeTree } from "../stage/tree.ts";
import { assertAbsent } from "./absent.ts";
import { type Family, parseExposition, sumOf } from "./exposition.ts";

const names = ["hub", "worker", "restore"] as const;

describe("metrics", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let hub: HubProcess;
  let sshd: StagedOpenSsh;
  let worker: StagedProcess;
  let acme: StagedTenant;
  const ports: Record<string, number> = {};
  const texts: string[] = [];

  const scrape = async (name: (typeof names)[number]): Promise<Map<string, Family>> => {
    const response = await fetch(`http://127.0.0.1:${ports[name]}/metrics`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    texts.push(text);
    return parseExposition(text);
  };

  before(async () => {
    for (const name of names) ports[name] = await freePort();
    earth = stack.use(await stageEarth());
    hub = stack.use(await stageHubProcess(earth, { env: { HUB_METRICS_PORT: String(ports.hub), LOG_LEVEL: "debug" } }));
    worker = stack.use(await stageWorker(hub, { env: { WORKER_METRICS_PORT: String(ports.worker) } }));
    stack.use(
      await stageRestore(hub, {
        storageBase: worker.storageBase,
        env: { RESTORE_METRICS_PORT: String(ports.restore) },
      }),
    );
    sshd = stack.use(await stageOpenSsh());
    await writeTree(sshd.data, tree({ "secret-name.html": "hello".repeat(1000) }), { owner: sshd.owner });
    acme = await stageTenant(hub, "Acme & Sons");
  });
  after(() => stack.disposeAsync());

  it("tell of jobs, bytes and links what happened, in each process that had a part in it", async () => {
    const before = { hub: await scrape("hub"), worker: await scrape("worker"), restore: await scrape("restore") };
    const { host, port, username, data: path } = sshd;
    const credentialId = await acme.createCredential({ password: sshd.password });
    const sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
    await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
    const backup = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId));
    assert.equal(backup.status, "COMPLETED", backup.errorMessage);
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) {
        ... on StartRestorePayload { downloadUrl restore { job { id } } } } }`,
      { id: backup.snapshot.id },
    );
    await jobEnd(acme.ask, data.startRestore.restore.job.id);
    const ready = await scrape("restore");
    assert.equal(sumOf(ready, "xvault_restore_prepared_downloads"), 1);
    const downloaded = (await (await fetch(data.startRestore.downloadUrl)).arrayBuffer()).byteLength;
    const wrong = await acme.createSftpSource(
      { host, port, username, path },
      await acme.createCredential({ password: "a wrong password" }),
    );
    await jobEnd(acme.ask, await startJob(acme.ask, "testSource", wrong));
    await acme.ask("{ nonsense }");
    await pause(6_000);
    const now = { hub: await scrape("hub"), worker: await scrape("worker"), restore: await scrape("restore") };

    const moved = (process: (typeof names)[number], name: string, labels: Record<string, string> = {}) =>
      sumOf(now[process], name, labels) - sumOf(before[process], name, labels);
    assert.equal(moved("hub", "xvault_job_claims_total", { type: "BACKUP" }), 1);
    assert.equal(moved("hub", "xvault_jobs_ended_total", { type: "BACKUP", status: "COMPLETED", code: "none" }), 1);
    assert.equal(moved("hub", "xvault_jobs_ended_total", { status: "FAILED", code: "SOURCE_AUTH_FAILED" }), 1);
    assert.equal(moved("hub", "xvault_snapshot_source_bytes_total"), 5000);
    assert.ok(moved("hub", "xvault_snapshot_stored_bytes_total") > 100);
    assert.ok(moved("hub", "xvault_doorbell_rings_total", { kind: "new" }) >= 1);
    assert.equal(moved("hub", "xvault_operations_refused_total", { surface: "public", code: "BAD_USER_INPUT" }), 1);
    assert.ok(moved("hub", "xvault_upkeep_seconds", { duty: "sweepLeases" }) > 0);
    const completions = now.hub
      .get("xvault_operation_seconds")
      ?.samples.find(({ name, labels }) => name.endsWith("_count") && labels.operation === "completeJob");
    assert.equal(completions?.value, 2);
    assert.equal(sumOf(now.hub, "xvault_jobs_queued"), 0);
    assert.equal(sumOf(now.hub, "xvault_workers", { status: "ONLINE" }), 2);
    assert.equal(sumOf(now.hub, "xvault_postgres_up"), 1);
    assert.equal(sumOf(now.hub, "xvault_redis_up"), 1);
    assert.equal(moved("worker", "xvault_worker_jobs_total", { type: "BACKUP", outcome: "COMPLETED" }), 1);
    assert.equal(moved("worker", "xvault_worker_jobs_total", { outcome: "SOURCE_AUTH_FAILED" }), 1);
    assert.equal(moved("worker", "xvault_worker_source_bytes_total"), 5000);
    assert.ok(sumOf(now.worker, "xvault_worker_free_bytes") > 0);
    assert.ok(sumOf(now.worker, "xvault_worker_heartbeat_age_seconds") < 60);
    assert.equal(sumOf(now.worker, "xvault_worker_jobs_running"), 0);
    assert.equal(moved("restore", "xvault_restore_jobs_total", { outcome: "COMPLETED" }), 1);
    assert.equal(moved("restore", "xvault_restore_served_bytes_total"), downloaded);
    assert.equal(moved("restore", "xvault_restore_links_ended_total", { reason: "fetched" }), 1);
    for (const process of names) {
      assert.ok(sumOf(now[process], "process_resident_memory_bytes") > 1_000_000);
      assert.ok(now[process].has("nodejs_eventloop_lag_p99_seconds"));
    }
  });

  it("name no tenant, host, path or secret", async () => {
    for (const name of names) await scrape(name);
    const all = texts.join("\n");
    const secrets: Record<string, string> = {
      ...{ "source's password": sshd.password, "worker's token": worker.identity.token, "access token": acme.token },
      "a file": "secret-name.html",
    };
    for (const [name, file] of Object.entries(earth.secretFiles)) secrets[name] = await readFile(file, "utf8");
    assertAbsent(secrets, "the metrics", all);
    for (const word of ["Acme", acme.tenantId, "127.0.0.1", sshd.data, worker.storageBase, "owner@example.com"])
      assert.ok(!all.includes(word), word);
  });

  it("are told on ports of their own alone", async () => {
    for (const url of [hub.publicUrl, hub.privateUrl, `http://127.0.0.1:${hub.restorePort}`])
      assert.equal((await fetch(`${url}/metrics`)).status, 404, url);
    const other = await fetch(`http://127.0.0.1:${ports.hub}/graphql`);
    assert.equal(other.status, 404);
  });

  it("are missing, and not nought, where the database does not tell them", async () => {
    const nowhere = connectDatabase("postgres://xvault:x@127.0.0.1:1/xvault", { connectTimeoutMs: 500 });
    stack.defer(() => nowhere.$disconnect());
    const registry = new Registry();
    await tellDatabaseFigures({ db: nowhere, registry, kekId: "x" })();
    const families = parseExposition(await registry.metrics());
    for (const name of ["xvault_jobs_queued", "xvault_sources", "xvault_outbox_unrung"])
      assert.deepEqual(families.get(name)?.samples, [], name);
    assert.deepEqual(families.get("xvault_postgres_up")?.samples[0]?.value, 0);
  });

  it("of sources are capped: the oldest of them are told one by one, and how many are not", async () => {
    const { db } = earth;
    const at = Date.now();
    const rows = Array.from({ length: mostSources + 5 }, (_, n) => n.toString(16).padStart(32, "0"));
    const facts = await db.snapshot.findFirstOrThrow();
    const { tenantId } = acme;
    const some = { tenantId, type: "SFTP", name: "n", config: {} } as const;
    await db.source.createMany({ data: rows.map((hex) => ({ ...some, id: `src_${hex}` })) });
    await db.job.createMany({
      data: rows.map((hex) => ({
        ...{ id: `job_${hex}`, tenantId, type: "BACKUP", sourceId: `src_${hex}`, status: "COMPLETED" },
      })) as Prisma.JobCreateManyInput[],
    });
    await db.snapshot.createMany({
      data: rows.map((hex, n) => ({
        ...facts,
        ...{ id: `snp_${hex}`, jobId: `job_${hex}`, sourceId: `src_${hex}`, createdAt: new Date(at - n * 1_000_000) },
      })) as Prisma.SnapshotCreateManyInput[],
    });
    const registry = new Registry();
    await tellDatabaseFigures({ db, registry, kekId: "x" })();
    const families = parseExposition(await registry.metrics());
    const ages = families.get("xvault_source_last_snapshot_age_seconds")?.samples ?? [];
    assert.equal(ages.length, mostSources);
    const oldest = ages.find(({ labels }) => labels.source === `src_${rows.at(-1)}`)?.value ?? 0;
    assert.ok(Math.abs(oldest - (mostSources + 4) * 1000) < 60, String(oldest));
    assert.equal(sumOf(families, "xvault_sources"), mostSources + 7);
    assert.equal(sumOf(families, "xvault_sources_without_snapshot"), 1);
    assert.equal(sumOf(families, "xvault_sources_untold"), 6);
  });

  it("have a log beside them in which every line of a job and of a request can be found", () => {
    const joined = hub.lines.flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    const [done] = joined.filter(({ msg, type }) => msg === "job ended" && type === "BACKUP");
    const { jobId, requestId } = done ?? {};
    assert.match(jobId, /^job_/);
    const told = worker.lines.flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    for (const msg of ["job begun", "job done"])
      assert.ok(
        told.some((line) => line.msg === msg && line.jobId === jobId && line.leaseEpoch === 1),
        msg,
      );
    const command = joined.find((line) => line.requestId === requestId && line.msg === "command done");
    assert.deepEqual([command?.command, command?.jobId, command?.leaseEpoch], ["completeJob", jobId, 1]);
    assert.equal(command?.workerId, worker.workerId);
  });
});
