// The whole way, over real servers: a source is tested, backed up while two clients watch, restored through its link, and compared.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { openWithStockTools, tenantIdentity } from "./stage/artifact-commands.ts";
import { available } from "./stage/available.ts";
import { type StagedProcess, stageRestore, stageWorker } from "./stage/data-plane.ts";
import { type StagedHub, stageHub } from "./stage/hub.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "./stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, type StagedTenant, stageTenant, startJob } from "./stage/tenant.ts";
import {
  assertTree,
  directory,
  file,
  link,
  seededBytes,
  smallFiles,
  type Tree,
  tree,
  writeTree,
} from "./stage/tree.ts";
import { type Step, watchOverSse, watchOverWebSocket } from "./stage/watch.ts";

const run = promisify(execFile);
const missing = missingOpenSsh ?? available("age") ?? available("zstd");

const site: Tree = new Map([
  ...tree({
    "index.html": "<h1>hello</h1>",
    "empty.txt": "",
    "empty directory/": directory,
    "a/b/c/d/e/f/deep.txt": "deep",
    "script.sh": file("#!/bin/sh\n", 0o755),
    "private.key": file("secret", 0o600),
    current: link("a/b"),
    dangling: link("nowhere/at/all"),
    outside: link("/etc/hostname"),
    "🎉 party.txt": "emoji",
    " leading and trailing ": "spaces",
    "new\nline.txt": "newline",
    "-rf": "a name that looks like an option",
    "größe 文件.txt": "words",
    "video.bin": seededBytes(64 * 1024 * 1024, "video"),
  }),
  ...[...smallFiles(1_000)].map(([path, node]) => [`small/${path}`, node] as const),
]);

describe("a backup of an OpenSSH server", { skip: missing ?? false }, () => {
  let sshd: StagedOpenSsh;
  let hub: StagedHub;
  let worker: StagedProcess;
  let restore: StagedProcess;
  let acme: StagedTenant;
  let scratch: string;
  let snapshot: { id: string; fileCount: number; plainBytes: string; localPath: string; partial: boolean };
  let watched: Record<"webSocket" | "sse", Step[]>;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "xvault-journey-"));
    sshd = await stageOpenSsh();
    await writeTree(sshd.data, site, { owner: sshd.owner });
    hub = await stageHub();
    worker = await stageWorker(hub);
    restore = await stageRestore(hub, { storageBase: worker.storageBase });
    acme = await stageTenant(hub);
  });

  after(async () => {
    for (const stage of [restore, worker, hub, sshd]) await stage?.[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  async function testedSource(secret: Record<string, string>): Promise<string> {
    const credentialId = await acme.createCredential(secret);
    const { host, port, username, data: path } = sshd;
    const sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
    const test = await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
    assert.equal(test.status, "COMPLETED", test.errorMessage);
    const { data } = await acme.ask("query ($id: ID!) { source(id: $id) { hostKey } }", { id: sourceId });
    assert.equal(data.source.hostKey, sshd.hostKey);
    return sourceId;
  }

  async function restored(snapshotId: string): Promise<string> {
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) {
        ... on StartRestorePayload { downloadUrl restore { job { id } } } ... on Failure { message }
      } }`,
      { id: snapshotId },
    );
    const { downloadUrl, restore: started } = data.startRestore;
    const job = await jobEnd(acme.ask, started.job.id);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    const response = await fetch(downloadUrl);
    assert.equal(response.status, 200);
    const target = await mkdtemp(join(scratch, "restored-"));
    const archive = `${target}.tar`;
    await writeFile(archive, response.body ?? "");
    await run("tar", ["-xf", archive, "-C", target]);
    assert.equal((await fetch(downloadUrl)).status, 410, "the link is used up");
    return target;
  }

  it("by password is watched over WebSocket and SSE at once, and completes", async () => {
    const sourceId = await testedSource({ password: sshd.password });
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const [webSocket, sse] = await Promise.all([
      watchOverWebSocket(hub.graphqlUrl, acme.token, jobId),
      watchOverSse(hub.graphqlUrl, acme.token, jobId),
    ]);
    watched = { webSocket, sse };
    const job = await jobEnd(acme.ask, jobId);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    assert.equal(job.warningCount, 0);
    snapshot = job.snapshot;
    assert.equal(snapshot.partial, false);
    const files = [...site.values()].filter((node) => node.kind === "file");
    assert.equal(snapshot.fileCount, files.length);
    assert.equal(
      BigInt(snapshot.plainBytes),
      files.reduce((sum, { content }) => sum + BigInt(content.length), 0n),
    );
  });

  for (const way of ["webSocket", "sse"] as const)
    it(`delivers every event once and in order over ${way}, and progress in between`, () => {
      const events = watched[way].flatMap(({ event }) => event ?? []);
      assert.deepEqual(
        events.map(({ seq }) => seq),
        events.map((_, index) => index + 1),
      );
      assert.deepEqual(
        events.filter(({ kind }) => kind === "state").map(({ facts }) => facts.status),
        ["QUEUED", "RUNNING", "FINALIZING", "COMPLETED"],
      );
      const bytes = watched[way].flatMap(({ progress }) => (progress ? Number(progress.bytesDone) : []));
      assert.ok(bytes.length > 0, "no progress was delivered");
      assert.deepEqual(
        bytes,
        bytes.toSorted((a, b) => a - b),
      );
      assert.equal(watched[way].at(-1)?.job.status, "COMPLETED");
    });

  it("comes back byte for byte through the download link", async () => {
    await assertTree(await restored(snapshot.id), site);
  });

  it("opens with Debian's age, zstd and tar", async () => {
    const target = join(scratch, "stock", "files");
    await mkdir(target, { recursive: true });
    const artifact = join(worker.storageBase, snapshot.localPath);
    await openWithStockTools(artifact, await tenantIdentity(hub, acme.tenantId), target);
    await assertTree(target, site);
  });

  it("by a private key with a passphrase comes back just the same", async () => {
    const sourceId = await testedSource(sshd.lockedKey);
    const job = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId));
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    await assertTree(await restored(job.snapshot.id), site);
  });

  it("is deleted on request, with its bytes", async () => {
    await deleteAtOnce(hub);
    const job = await jobEnd(acme.ask, await startJob(acme.ask, "deleteSnapshot", snapshot.id));
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    const { data } = await acme.ask("query ($id: ID!) { snapshot(id: $id) { status } }", { id: snapshot.id });
    assert.equal(data.snapshot.status, "DELETED");
    await assert.rejects(run("test", ["-e", join(worker.storageBase, snapshot.localPath)]));
  });
});
