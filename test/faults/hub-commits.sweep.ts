// Row F7: a hub that is killed just before or just after the N-th commit of anything, for every N, has done all of it or nothing: a job
// has its doorbell and its log, an end has its snapshot, and everything has its line on record.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { ClaimedJob } from "../../clients/hub/hub-client.ts";
import { hostKey, leaseOf, madeSnapshot, type PlayedWorker, playWorker } from "../private/played-worker.ts";
import { type Ask, client, signIn } from "../stage/client.ts";
import type { StagedHub } from "../stage/hub.ts";
import { deleteAtOnce } from "../stage/tenant.ts";
import { assertClean } from "./kit/clean.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";

/** Commits of one script, and some of the upkeep's. */
const commits = 28;
const leaseSeconds = 2;
const env = {
  HUB_LEASE_SECONDS: `${leaseSeconds}`,
  HUB_HEARTBEAT_SECONDS: "1",
  HUB_ACCESS_TOKEN_MINUTES: "600",
  HUB_PASSWORD_TRIES: "100000",
};

describe("a hub that is killed at a commit", () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let hub: HubProcess;
  let deaths = 0;
  before(async () => {
    earth = stack.use(await stageEarth());
    await deleteAtOnce(earth);
    hub = stack.use(await stageHubProcess(earth, { env }));
  });
  after(async () => {
    process.stdout.write(`${deaths} deaths at a commit\n`);
    await stack.disposeAsync();
  });

  for (const at of ["hub.before-commit", "hub.committed"] as const)
    it(`has done all of it or nothing, ${at}, for each of the first ${commits}`, async () => {
      for (let nth = 1; nth <= commits; nth++) {
        await hub.end("SIGKILL");
        const { lives } = hub;
        // It may die of it before it is ready: it commits when it starts, too.
        await hub.start({ env, fault: { at, action: "kill", nth } }).catch(async () => {
          await hub.end("SIGKILL");
          await hub.start();
        });
        await new Script(hub).play();
        if (hub.child.signalCode !== null) await hub.start();
        deaths += hub.lives - lives - 1;
        process.stdout.write(`${at}, commit ${nth}: ${deaths} deaths so far\n`);
        await assertClean({ db: earth.db, stores: [], temps: [], leaseSeconds }, `${at}, commit ${nth}`);
        const silent = await earth.db.$queryRaw`
          SELECT id FROM jobs j WHERE status = 'QUEUED' AND NOT EXISTS (
            SELECT FROM outbox o WHERE o.job_id = j.id AND o.lease_epoch = j.lease_epoch)`;
        assert.deepEqual(silent, [], `a job without its doorbell, ${at}, commit ${nth}`);
      }
    });
});

/** Somebody who does one thing of each kind, and asks again where nobody answered. What was done already may be refused. */
class Script {
  readonly #hub: HubProcess;
  #ask: Ask | null = null;

  constructor(hub: HubProcess) {
    this.#hub = hub;
  }

  async play(): Promise<void> {
    const { db } = this.#hub;
    const worker = await this.#persist(() => playWorker(this.#hub as unknown as StagedHub));
    const tenantId = await this.#make("createTenant", "CreateTenant", "tenant", { name: "Acme" });
    const secret = { tenantId, name: "c", secret: { password: "of a staged source" } };
    const credentialId = await this.#make("createCredential", "CreateCredential", "credential", secret);
    const config = { host: "files.example.com", username: "backup", path: "/srv" };
    const source = { tenantId, type: "SFTP", name: "s", config, credentialId };
    const sourceId = await this.#make("createSource", "CreateSource", "source", source);
    await this.#do("testSource", "TestSource", { sourceId });
    await this.#end(worker, "TEST_SOURCE", sourceId, (job) =>
      worker.api.completeJob({ ...leaseOf(job), findings: {}, hostKey }),
    );
    await this.#do("createSchedule", "CreateSchedule", { sourceId, intervalMinutes: 60 });
    await this.#do("startBackup", "StartBackup", { sourceId });
    await this.#end(worker, "BACKUP", sourceId, async (job) => {
      await worker.api.enterPhase({ ...leaseOf(job), phase: "FINALIZING" });
      await worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) });
    });
    const { id: snapshotId } = await db.snapshot.findFirstOrThrow({ where: { sourceId } });
    await this.#do("pinSnapshot", "PinSnapshot", { snapshotId, reason: "kept" });
    await this.#do("unpinSnapshot", "UnpinSnapshot", { snapshotId });
    await this.#do("startBackup", "StartBackup", { sourceId });
    await this.#end(worker, "BACKUP", sourceId, (job) =>
      worker.api.failJob({ ...leaseOf(job), code: "SOURCE_AUTH_FAILED", message: "No." }),
    );
    await this.#do("deleteSnapshot", "DeleteSnapshot", { snapshotId });
    await this.#end(worker, "DELETE_SNAPSHOT", null, (job) => worker.api.completeJob(leaseOf(job)));
    await this.#do("startBackup", "StartBackup", { sourceId });
    const { id: jobId } = await db.job.findFirstOrThrow({ where: { sourceId }, orderBy: { id: "desc" } });
    await this.#do("cancelJob", "CancelJob", { jobId });
  }

  /** Claims and ends jobs until none of this kind is left; of one that was claimed in vain the lease has to run out. */
  async #end(
    worker: PlayedWorker,
    type: "TEST_SOURCE" | "BACKUP" | "DELETE_SNAPSHOT",
    sourceId: string | null,
    end: (job: ClaimedJob) => Promise<unknown>,
  ): Promise<void> {
    const where = {
      type,
      status: { in: ["QUEUED", "RUNNING", "FINALIZING"] as ("QUEUED" | "RUNNING" | "FINALIZING")[] },
      ...(sourceId !== null && { sourceId }),
    };
    for (const deadline = performance.now() + 60_000; (await this.#hub.db.job.count({ where })) > 0; await pause(50)) {
      assert.ok(performance.now() < deadline, `a ${type} does not end`);
      const job = await this.#persist(() => worker.claim(type));
      if (job) await this.#persist(() => end(job)).catch(() => undefined);
    }
  }

  async #make(verb: string, name: string, noun: string, input: object): Promise<string> {
    const answer = await this.#send(
      `mutation ($input: ${name}Input!) { ${verb}(input: $input) { ... on ${name}Payload { ${noun} { id } } ... on Failure { message } } }`,
      input,
    );
    const made = answer.data?.[verb]?.[noun]?.id;
    assert.ok(made, JSON.stringify(answer));
    return made;
  }

  async #do(verb: string, name: string, input: object): Promise<void> {
    const answer = await this.#send(
      `mutation ($input: ${name}Input!) { ${verb}(input: $input) { __typename ... on Failure { message } } }`,
      input,
    );
    assert.ok(answer.data?.[verb], JSON.stringify(answer));
  }

  #send(document: string, input: object) {
    return this.#persist(async () => {
      this.#ask ??= client(this.#hub.graphqlUrl, await signIn(this.#hub.graphqlUrl, this.#hub.owner));
      return this.#ask(document, { input });
    });
  }

  /** Does it again, with a hub that was started anew, where the hub died of it. */
  async #persist<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        // A connection breaks before the system says that the process is over.
        await Promise.race([this.#hub.ended(), pause(10_000)]);
        if (this.#hub.child.signalCode === null || tries === 3) throw error;
        await this.#hub.start();
      }
    }
  }
}
