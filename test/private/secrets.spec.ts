// Secrets go to the one worker that holds the job they are for, sealed to its own key, and nowhere else.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { identityToRecipient } from "age-encryption";
import { protocolVersion } from "../../clients/hub/hub-client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "./played-worker.ts";
import { emptyQueue } from "./state.ts";

describe("the secrets of a job", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60 }));
    worker = await playWorker(hub);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  it("are the credential of its source, for a backup and for a test", async () => {
    for (const [mutation, type] of [
      ["startBackup", "BACKUP"],
      ["testSource", "TEST_SOURCE"],
    ] as const) {
      await startJob(acme.ask, mutation, sourceId);
      const { sealed } = await worker.api.claimSecrets(leaseOf(await worker.take(type)));
      assert.deepEqual(await worker.unseal(sealed), { password: "of a staged source" });
      await emptyQueue(hub.running.hub.db);
    }
  });

  it("can be read by the worker that claimed them and by no other", async () => {
    await startJob(acme.ask, "testSource", sourceId);
    const { sealed } = await worker.api.claimSecrets(leaseOf(await worker.take("TEST_SOURCE")));
    assert.ok(!Buffer.from(sealed, "base64").includes("of a staged source"));
    const another = await playWorker(hub);
    await assert.rejects(another.unseal(sealed), /no identity matched/);
  });

  it("are sealed to the key of the worker's present start", async () => {
    const earlier = await playWorker(hub);
    const later = await playWorker(hub);
    const { db } = hub.running.hub;
    await earlier.api.registerWorker({
      protocol: protocolVersion,
      role: "BACKUP",
      publicKey: later.publicKey,
      capabilities: { version: "0", jobTypes: ["TEST_SOURCE"], sourceTypes: ["SFTP"], tools: {}, readsStoresOf: [] },
    });
    await startJob(acme.ask, "testSource", sourceId);
    const { sealed } = await earlier.api.claimSecrets(leaseOf(await earlier.take("TEST_SOURCE")));
    await assert.rejects(earlier.unseal(sealed));
    assert.deepEqual(await later.unseal(sealed), { password: "of a staged source" });
    assert.equal(await db.worker.count({ where: { publicKey: later.publicKey } }), 2);
  });

  it("are the tenant's key for a restore, and nothing for a deletion", async () => {
    const snapshotId = await backUp(acme, worker, sourceId);
    await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) { ... on Failure { message } } }`,
      { id: snapshotId },
    );
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    const job = await service.take("RESTORE");
    const { sealed } = await service.api.claimSecrets(leaseOf(job));
    const { identities } = (await service.unseal(sealed)) as { identities: string[] };
    const keys = await hub.running.hub.db.tenantKey.findMany({ where: { tenantId: acme.tenantId } });
    assert.deepEqual(
      await Promise.all(identities.map(identityToRecipient)),
      keys.map(({ publicKey }) => publicKey),
    );
    await service.api.completeRestore({ ...leaseOf(job), sizeBytes: 1 });
    await deleteAtOnce(hub);
    await startJob(acme.ask, "deleteSnapshot", snapshotId);
    const deletion = await worker.api.claimSecrets(leaseOf(await worker.take("DELETE_SNAPSHOT")));
    assert.deepEqual(await worker.unseal(deletion.sealed), {});
  });

  it("are not part of the claim itself", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    assert.doesNotMatch(JSON.stringify(await worker.take("BACKUP")), /of a staged source|AGE-SECRET-KEY/);
  });

  it("do not open in another row: a ciphertext that was moved is worth nothing, and nobody is told why", async () => {
    const victim = await stageTenant(hub, "Victim");
    const stolen = await victim.createCredential({ password: "canary of the victim" });
    await hub.running.hub.db.$executeRaw`
      UPDATE credentials SET ciphertext = (SELECT ciphertext FROM credentials WHERE id = ${stolen})
      WHERE id = (SELECT credential_id FROM sources WHERE id = ${sourceId})`;
    await startJob(acme.ask, "testSource", sourceId);
    await assert.rejects(worker.api.claimSecrets(leaseOf(await worker.take("TEST_SOURCE"))), {
      code: "INTERNAL",
      message: "Something went wrong on our side.",
    });
  });
});
