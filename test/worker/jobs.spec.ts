// One job after the other, with a real source and a real store; the hub is a list of what it was told.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { pino } from "pino";
import { localStorage } from "#artifact/node";
import { carryJob } from "../../clients/hub/carry-job.ts";
import type { ClaimedJob, HubClient } from "../../clients/hub/hub-client.ts";
import { ProcessIdentity } from "../../clients/hub/identity.ts";
import { KeepAlive } from "../../clients/hub/keep-alive/keep-alive.ts";
import type { JobProgress } from "../../clients/hub/progress-channel.ts";
import { failureOf } from "../../worker/failure.ts";
import { performJob } from "../../worker/perform.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { seededBytes, tree, writeTree } from "../stage/tree.ts";
import { loopback } from "./sources/reading.ts";

interface Told {
  readonly command: string;
  readonly input: Record<string, unknown>;
}

interface StageOptions {
  /** Called before the hub answers. */
  readonly onCommand?: (command: string) => void;
}

async function stageWorkshop(sshd: StagedOpenSsh, { onCommand }: StageOptions = {}) {
  const base = await mkdtemp(join(tmpdir(), "xvault-jobs-"));
  const identity = await ProcessIdentity.generate();
  const told: Told[] = [];
  const progress: JobProgress[] = [];
  async function claimSecrets() {
    const encrypter = new Encrypter();
    encrypter.addRecipient(identity.publicKey);
    const sealed = await encrypter.encrypt(JSON.stringify({ password: sshd.password }));
    return { sealed: Buffer.from(sealed).toString("base64") };
  }
  const answers: Record<string, () => unknown> = {
    claimSecrets,
    hello: () => ({ serverTime: "2030-01-02T03:04:05.000Z" }),
    renewLease: () => ({ leaseSeconds: 60, cancelRequested: false }),
  };
  const hub = new Proxy({} as HubClient, {
    get: (_, command: string) => async (input: Record<string, unknown>) => {
      told.push({ command, input });
      onCommand?.(command);
      return answers[command]?.();
    },
  });
  const workshop = {
    hub,
    identity,
    storage: localStorage(base),
    progress: { publish: (_: string, each: JobProgress) => progress.push(each), async [Symbol.asyncDispose]() {} },
    workerId: "wrk_1",
    tempBase: base,
    allowedNetworks: loopback,
    ownsStore: async () => true,
  };
  const recipients = [await identityToRecipient(await generateX25519Identity())];
  const job: ClaimedJob = {
    jobId: "job_1",
    tenantId: "ten_1",
    type: "BACKUP",
    leaseEpoch: 1,
    leaseSeconds: 60,
    timeLimitSeconds: 3600,
    attempt: 1,
    source: {
      sourceId: "src_1",
      type: "SFTP",
      config: { host: sshd.host, port: sshd.port, username: sshd.username, path: sshd.data },
      hostKey: sshd.hostKey,
      jumpHostKey: null,
      hasCredential: true,
    },
    backup: { snapshotId: "snp_1", recipients, maxBytes: null, maxBytesPerSecond: null },
    snapshot: null,
    restore: null,
    check: null,
  };
  const log = pino({ level: "silent" });
  // Nobody renews: a lease ends by itself after two thirds of its time.
  const keepAlive = new KeepAlive({ baseUrl: "http://127.0.0.1:1", token: "the token" }, log);
  return {
    job,
    told,
    progress,
    commands: () => told.map(({ command, input }) => (command === "enterPhase" ? `${input.phase}` : command)),
    perform: (claimed: ClaimedJob, stopping = new AbortController().signal) =>
      carryJob(claimed, (carried, signal) => performJob(workshop, carried, signal), {
        ...{ hub: workshop.hub, keepAlive, heartbeatSeconds: 15, stopping, log, failureOf },
      }),
    stored: () => readdir(base, { recursive: true }),
    async [Symbol.asyncDispose]() {
      await keepAlive[Symbol.asyncDispose]();
      await rm(base, { recursive: true, force: true });
    },
  };
}

const last = (told: readonly Told[]) => told.at(-1) ?? { command: "nothing", input: {} };
const drafts = (names: readonly string[]) => names.filter((name) => name.includes(".staging"));

describe("a job of a worker", { skip: missingOpenSsh ?? false }, () => {
  it("backs up, phase by phase, and reports what it stored", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ "a/one": "1", two: "22" }), { owner: sshd.owner });
    await using stage = await stageWorkshop(sshd);
    await stage.perform(stage.job);
    const expected = ["CONNECTING", "claimSecrets", "PULLING", "hello", "FINALIZING", "renewLease", "completeJob"];
    assert.deepEqual(stage.commands(), expected);
    const { jobId, leaseEpoch, snapshot } = last(stage.told).input as Record<string, unknown>;
    assert.deepEqual({ jobId, leaseEpoch }, { jobId: "job_1", leaseEpoch: 1 });
    const { plainBytes, fileCount, partial, manifest } = snapshot as Record<string, unknown>;
    assert.deepEqual({ plainBytes, fileCount, partial }, { plainBytes: 3, fileCount: 2, partial: false });
    assert.equal((manifest as { createdAt: string }).createdAt, "2030-01-02T03:04:05.000Z", "by the hub's clock");
    assert.ok((await stage.stored()).includes("tenants/ten_1/sources/src_1/snapshots/snp_1/backup.tar.zst.enc"));
  });

  it("sends what the customer's own commands say to the job's log, also where the backup fails", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ one: "1", locked: "2" }), { owner: sshd.owner });
    await chmod(join(sshd.data, "locked"), 0o000);
    const hooks = {
      before: { command: "echo stopping; echo 'the app' >&2" },
      after: { command: "echo started again" },
    };
    for (const [strict, end] of [
      [false, "completeJob"],
      [true, "failJob"],
    ] as const) {
      await using stage = await stageWorkshop(sshd);
      const source = withConfig(stage.job, { strict, hooks });
      await stage.perform({ ...stage.job, source: source && { ...source, type: "SSH" } });
      assert.equal(last(stage.told).command, end);
      const logged = stage.told.filter(({ command }) => command === "recordLog").map(({ input }) => input);
      const said = (step: string) =>
        logged.filter((input) => input.step === step).flatMap((input) => input.lines as string[]);
      assert.deepEqual(said("before").sort(), ["stopping", "the app"]);
      assert.deepEqual(said("after"), ["started again"]);
    }
  });

  it("fails where something cannot be read and the source is strict, with nothing left behind", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ open: "1", locked: "2" }), { owner: sshd.owner });
    await chmod(join(sshd.data, "locked"), 0o000);
    await using stage = await stageWorkshop(sshd);
    await stage.perform(stage.job);
    assert.equal((last(stage.told).input.snapshot as { partial: boolean }).partial, true, "partial otherwise");
    await using strict = await stageWorkshop(sshd);
    await strict.perform({ ...strict.job, source: withConfig(strict.job, { strict: true }) });
    const { command, input } = last(strict.told);
    assert.deepEqual([command, input.code], ["failJob", "PATH_NOT_FOUND"]);
    assert.match(String(input.message), /^“locked” could not be read in full.*strict/);
    assert.deepEqual(
      (await strict.stored()).filter((path) => path.endsWith("manifest.json")),
      [],
    );
  });

  it("tells how far it has come, and what it reads", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ big: seededBytes(64 * 1024 * 1024, "big") }), { owner: sshd.owner });
    await using stage = await stageWorkshop(sshd);
    await stage.perform({ ...stage.job, source: withConfig(stage.job, { path: join(sshd.data, "big") }) });
    assert.equal(last(stage.told).command, "completeJob");
    const [first] = stage.progress;
    assert.deepEqual(
      { ...first, bytesDone: 0, storedBytes: 0, filesDone: 0 },
      {
        ...{ leaseEpoch: 1, phase: "PULLING", filesDone: 0, filesTotal: 1, bytesDone: 0, storedBytes: 0 },
        ...{ bytesTotal: 64 * 1024 * 1024, currentPath: "big" },
      },
    );
  });

  it("sends nothing to a host whose key was never pinned", async () => {
    await using sshd = await stageOpenSsh();
    await using stage = await stageWorkshop(sshd);
    await stage.perform({ ...stage.job, source: stage.job.source && { ...stage.job.source, hostKey: null } });
    assert.deepEqual(stage.commands(), ["CONNECTING", "failJob"]);
    const { code, message } = last(stage.told).input;
    assert.equal(code, "HOST_KEY_CHANGED");
    assert.match(String(message), /run a source test first/);
    assert.doesNotMatch(await sshd.log(), /Accepted|Failed/);
  });

  it("tests a source, and alone may meet its host for the first time", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ one: "1" }), { owner: sshd.owner });
    await using stage = await stageWorkshop(sshd);
    const source = stage.job.source && { ...stage.job.source, hostKey: null };
    await stage.perform({ ...stage.job, type: "TEST_SOURCE", source, backup: null });
    const { command, input } = last(stage.told);
    assert.equal(command, "completeJob");
    assert.equal(input.hostKey, sshd.hostKey);
    const { serverVersion, ...findings } = input.findings as Record<string, unknown>;
    assert.deepEqual(findings, {
      ...{ hostKey: sshd.hostKey, jumpHostKey: null, pathReadable: true, sampleEntries: ["one"] },
      ...{ estimate: null, tools: {}, remarks: [] },
    });
    assert.match(String(serverVersion), /^OpenSSH/);
  });

  it("deletes a snapshot, also when it is gone already", async () => {
    await using sshd = await stageOpenSsh();
    await using stage = await stageWorkshop(sshd);
    await stage.perform(stage.job);
    const snapshot = {
      snapshotId: "snp_1",
      sourceId: "src_1",
      manifestSha256: "",
      artifactSha256: "",
      storageWorkerId: null,
    };
    const deletion = { ...stage.job, type: "DELETE_SNAPSHOT" as const, source: null, backup: null, snapshot };
    for (let time = 0; time < 2; time++) {
      await stage.perform(deletion);
      assert.equal(last(stage.told).command, "completeJob");
      assert.equal(
        (await stage.stored()).some((name) => name.endsWith(".enc")),
        false,
      );
    }
  });

  it("fails by the setting that is unfit, and as WORKER_OFFLINE where it cannot be done here", async () => {
    await using sshd = await stageOpenSsh();
    await using stage = await stageWorkshop(sshd);
    const unfit = {
      path: "PATH_NOT_FOUND",
      username: "SOURCE_AUTH_FAILED",
      host: "HOST_NOT_ALLOWED",
      port: "HOST_NOT_ALLOWED",
    };
    for (const [setting, code] of Object.entries(unfit)) {
      await stage.perform({ ...stage.job, source: withConfig(stage.job, { [setting]: "" }) });
      assert.equal(last(stage.told).input.code, code, setting);
    }
    await stage.perform({ ...stage.job, type: "RESTORE" });
    assert.equal(last(stage.told).input.code, "WORKER_OFFLINE");
  });

  it("is given back when the worker goes down, with nothing left behind", async () => {
    await using sshd = await stageOpenSsh();
    const stop = new AbortController();
    await using stage = await stageWorkshop(sshd, {
      onCommand: (command) => {
        if (command === "hello") stop.abort(new Error("going down"));
      },
    });
    await stage.perform(stage.job, stop.signal);
    assert.equal(last(stage.told).command, "releaseJob");
    assert.deepEqual(drafts(await stage.stored()), []);
  });

  it("is ended as TIMEOUT when it has taken as long as it may, with nothing left behind", async () => {
    await using sshd = await stageOpenSsh();
    await using stage = await stageWorkshop(sshd);
    const hooks = { before: { command: "sleep 60" } };
    const source = withConfig(stage.job, { hooks });
    await stage.perform({ ...stage.job, timeLimitSeconds: 2, source: source && { ...source, type: "SSH" } });
    const { command, input } = last(stage.told);
    assert.deepEqual([command, input.code], ["failJob", "TIMEOUT"]);
    assert.match(String(input.message), /^This had not ended after 1 minute, .*ask the operator/);
    assert.deepEqual(drafts(await stage.stored()), []);
  });

  it("is let go of without a word when its lease is lost", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ big: seededBytes(256 * 1024 * 1024, "big") }), { owner: sshd.owner });
    await using stage = await stageWorkshop(sshd);
    await stage.perform({ ...stage.job, leaseSeconds: 1 });
    assert.equal(
      stage.commands().some((command) => ["completeJob", "failJob", "releaseJob"].includes(command)),
      false,
    );
    assert.deepEqual(drafts(await stage.stored()), []);
    assert.equal(
      (await stage.stored()).some((name) => name.endsWith(".enc")),
      false,
    );
  });
});

function withConfig({ source }: ClaimedJob, changes: object): ClaimedJob["source"] {
  return source && { ...source, config: { ...(source.config as object), ...changes } };
}
