// One hub, one source and one store, on which processes of the data plane come and go: where they are killed, and looked at afterwards.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Job } from "../../../prisma/client/client.ts";
import { firstDifference } from "../../../server/operator/checks/artifacts.ts";
import type { DescribedTree } from "../../../server/operator/checks/check.ts";
import type { FsckOptions } from "../../../server/operator/fsck.ts";
import { expireLease } from "../../private/state.ts";
import { type StagedProcess, type StagedProcessOptions, stageRestore, stageWorker } from "../../stage/data-plane.ts";
import { type StagedHub, type StagedTerms, stageHub } from "../../stage/hub.ts";
import { type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, type StagedTenant, stageTenant, startJob } from "../../stage/tenant.ts";
import { sha256, type Tree, writeTree } from "../../stage/tree.ts";
import { assertClean, keysOf } from "./clean.ts";

export interface FaultGround extends AsyncDisposable {
  readonly hub: StagedHub;
  readonly sshd: StagedOpenSsh;
  readonly acme: StagedTenant;
  readonly sourceId: string;
  readonly directory: string;
  /** The same worker, or the same restore service, each time; the one before has to be dead. */
  start(kind: "worker" | "restore", options?: StagedProcessOptions): Promise<StagedProcess>;
  /** Ids of jobs, begun through the public API. */
  backUp(): Promise<string>;
  restore(snapshotId: string, form?: "ZIP" | "TAR" | "SEALED"): Promise<string>;
  remove(snapshotId: string): Promise<string>;
  goodSnapshots(): Promise<string[]>;
  job(id: string): Promise<Job>;
  /** Waits for a good end; after an end that is none it fails. */
  completed(jobId: string): Promise<Job>;
  /** As time would do it: the lease is over, and the hub has noticed. */
  loseLease(jobId: string): Promise<void>;
  /** Asks fsck, when nothing is under way. */
  clean(when: string): Promise<void>;
}

/** What fsck makes of a tree of files and directories. */
export function describedAs(content: Tree): DescribedTree {
  const described = new Map<string, string>();
  for (const [path, node] of content)
    if (node.kind === "file")
      described.set(path, `file of ${node.content.length} bytes, sha256 ${sha256(node.content)}`);
    else if (node.kind === "directory") described.set(path, "directory");
  return described;
}

/** Resolves when the process is over, whoever ended it. */
export async function over({ child }: StagedProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await once(child, "exit", { signal: AbortSignal.timeout(60_000) });
}

/** A worker has been started once, so that the source is tested; it is gone again. `content` is the oracle. */
export async function stageGround(content: Tree, terms: StagedTerms = {}): Promise<FaultGround> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp("/var/tmp/xvault-ground-");
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const sshd = started.use(await stageOpenSsh());
  await writeTree(sshd.data, content, { owner: sshd.owner });
  const hub = started.use(await stageHub({ sweepSeconds: 0.2, ...terms }));
  await deleteAtOnce(hub);
  const places = { worker: join(directory, "worker-temp"), restore: join(directory, "restore-temp") };
  const storageBase = join(directory, "store");
  const identities = { worker: await hub.enrol("BACKUP"), restore: await hub.enrol("RESTORE") };
  const start = (kind: "worker" | "restore", options: StagedProcessOptions = {}) => {
    const same = { storageBase, identity: identities[kind], tempBase: places[kind], ...options };
    return kind === "worker" ? stageWorker(hub, same) : stageRestore(hub, same);
  };
  const acme = await stageTenant(hub);
  const { host, port, username, data: path } = sshd;
  const credentialId = await acme.createCredential({ password: sshd.password });
  const sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
  {
    await using _ = await start("worker");
    const { status } = await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
    assert.equal(status, "COMPLETED");
  }
  const grounds: FsckOptions = {
    db: hub.db,
    stores: [{ workerId: identities.worker.id, base: storageBase }],
    temps: Object.values(places),
    identityOf: keysOf(hub.running.hub),
    oracle: (_, tree) => firstDifference(describedAs(content), tree),
  };
  const job = (id: string) => hub.db.job.findUniqueOrThrow({ where: { id } });
  const stack = started.move();
  return {
    ...{ hub, sshd, acme, sourceId, directory, start, job },
    backUp: () => startJob(acme.ask, "startBackup", sourceId),
    remove: (snapshotId) => startJob(acme.ask, "deleteSnapshot", snapshotId),
    async restore(snapshotId, form = "TAR") {
      const { data } = await acme.ask(
        `mutation ($input: StartRestoreInput!) { startRestore(input: $input) {
          ... on StartRestorePayload { restore { job { id } } } ... on Failure { message } } }`,
        { input: { snapshotId, form } },
      );
      if (!data.startRestore.restore) throw new Error(data.startRestore.message);
      return data.startRestore.restore.job.id;
    },
    async goodSnapshots() {
      const where = { status: "COMPLETED" as const, deletionDueAt: null };
      return (await hub.db.snapshot.findMany({ where, orderBy: { id: "asc" } })).map(({ id }) => id);
    },
    async completed(jobId) {
      const { status, errorCode, errorMessage } = await jobEnd(acme.ask, jobId);
      assert.equal(status, "COMPLETED", `${errorCode}: ${errorMessage}`);
      return job(jobId);
    },
    async loseLease(jobId) {
      const { leaseEpoch } = await job(jobId);
      await expireLease(hub.db, jobId);
      const deadline = performance.now() + 30_000;
      while ((await job(jobId)).leaseEpoch === leaseEpoch) {
        if (performance.now() > deadline) throw new Error(`nobody took job ${jobId} back`);
        await pause(20);
      }
    },
    clean: (when) => assertClean(grounds, when),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
