// Row F7: a hub that is killed just before or just after the N-th commit of anything, for every N of a customer's whole way through the
// API, or in its doorbell, has done all of it or nothing: a job has its doorbell and its log, an end has its snapshot, and everything has
// its line on record.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { ClaimedJob } from "../../clients/hub/hub-client.ts";
import { hostKey, leaseOf, madeSnapshot, type PlayedWorker, playWorker } from "../private/played-worker.ts";
import { type Ask, client, signIn } from "../stage/client.ts";
import type { StagedHub } from "../stage/hub.ts";
import { deleteAtOnce } from "../stage/tenant.ts";
import { assertClean } from "./kit/clean.ts";
import { findHalfWritten } from "./kit/half-written.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { type HubPoint, hubPoints } from "./kit/kills.ts";

const leaseSeconds = 30;
const env = {
  HUB_LEASE_SECONDS: `${leaseSeconds}`,
  HUB_HEARTBEAT_SECONDS: "1",
  HUB_ACCESS_TOKEN_MINUTES: "600",
  HUB_PASSWORD_TRIES: "100000",
};
/** So many rounds of the relay; of the commits the script decides how many there are. */
const rounds = { "hub.before-commit": 200, "hub.committed": 200, "relay.bells-locked": 8, "relay.bells-rung": 8 };

describe("a hub that is killed at a commit", () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let hub: HubProcess;
  let directory: string;
  const deaths: Record<string, number> = {};
  before(async () => {
    directory = await mkdtemp("/var/tmp/xvault-commits-");
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    earth = stack.use(await stageEarth());
    await deleteAtOnce(earth);
    hub = stack.use(await stageHubProcess(earth, { env }));
  });
  after(async () => {
    process.stdout.write(`deaths of a hub: ${JSON.stringify(deaths)}\n`);
    await stack.disposeAsync();
  });

  /** It counts, and dies, from when the file is made: what it commits while it starts is not the script's. */
  const mortal = (at: HubPoint, nth: number) => ({
    env,
    fault: { at, nth, action: "kill", armedFile: join(directory, `${at}-${nth}`) } as const,
  });

  for (const at of hubPoints)
    it(`has done all of it or nothing, ${at}, wherever in the script that is`, async () => {
      await hub.end("SIGKILL");
      await hub.start(mortal(at, 1));
      for (let nth = 1; nth <= rounds[at]; nth++) {
        const { lives } = hub;
        await writeFile(mortal(at, nth).fault.armedFile, "");
        await new Script(hub, () => hub.start(mortal(at, nth + 1))).play();
        // It died of its last commit, or it outlived the script: there is no N-th one.
        if (hub.child.signalCode !== null) await hub.start(mortal(at, nth + 1));
        const died = hub.lives > lives;
        if (died) deaths[at] = (deaths[at] ?? 0) + 1;
        await assertClean({ db: earth.db, stores: [], temps: [], leaseSeconds }, `${at}, ${nth}`);
        assert.deepEqual(await findHalfWritten(earth.db), [], `${at}, ${nth}`);
        if (nth % 10 === 0 || !died) process.stdout.write(`${at}: ${deaths[at]} deaths\n`);
        if (!died) break;
      }
    });
});

/** Somebody who does one thing of each kind, and asks again where nobody answered. What was done already may be refused. */
class Script {
  readonly #hub: HubProcess;
  readonly #restart: () => Promise<void>;
  #ask: Ask | null = null;

  constructor(hub: HubProcess, restart: () => Promise<void>) {
    this.#hub = hub;
    this.#restart = restart;
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
    // A test has one attempt: where its claim went down with the hub it fails, and its customer asks for another.
    const isTested = async () => (await db.source.findUniqueOrThrow({ where: { id: sourceId } })).hostKey !== null;
    for (let tries = 0; tries < 2 && !(await isTested()); tries++) {
      await this.#do("testSource", "TestSource", { sourceId });
      await this.#end(worker, "TEST_SOURCE", sourceId, (job) =>
        worker.api.completeJob({ ...leaseOf(job), findings: {}, hostKey }),
      );
    }
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

  /** Claims and ends jobs until none of this kind is left; of one that was claimed in vain the lease runs out. */
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
      else await this.#loseLeases(type);
    }
  }

  /** Nobody heard of a claim whose answer went down with the hub: its lease ends, as time would have it. */
  async #loseLeases(type: string): Promise<void> {
    const { db } = this.#hub;
    await db.$executeRaw`UPDATE jobs SET lease_expires_at = now() - interval '1 second'
      WHERE type::text = ${type} AND status IN ('RUNNING', 'FINALIZING')`;
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
        await this.#restart();
      }
    }
  }
}
