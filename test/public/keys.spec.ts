// Who holds the keys of a tenant, what that means for its backups, and that no private key of a customer ever stays here.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { Decrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from "age-encryption";
import type { ApiKeyActor } from "../../domain/actor.ts";
import { disableTenantKey, rotateTenantKey, setTenantRecipients } from "../../domain/custody.ts";
import { hubFor } from "../../domain/hub.ts";
import { newId } from "../../domain/ids.ts";
import { fingerprint } from "../../domain/keys.ts";
import { leaseOf, madeSnapshot, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue, everything } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

describe("the keys of a tenant", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let service: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    worker = await playWorker(hub);
    service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
  });
  after(() => stack.disposeAsync());
  // Each test has a tenant of its own, with one key of the platform.
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });

  const keyFacts = "id algorithm publicKey fingerprint custody status snapshotsOnlyOpenedByIt rotatedAt";
  const keys = async () =>
    (await acme.ask(`query ($id: ID!) { tenant(id: $id) { keys { nodes { ${keyFacts} } } } }`, { id: acme.tenantId }))
      .data.tenant.keys.nodes;
  async function change(verb: string, shown: string, input: object = { tenantId: acme.tenantId }) {
    const name = `${verb.charAt(0).toUpperCase()}${verb.slice(1)}`;
    const { data } = await acme.ask(
      `mutation ($input: ${name}Input!) { ${verb}(input: $input) {
        ... on ${name}Payload { ${shown} } ... on Failure { code message } ${verb === "setTenantRecipients" ? "... on InvalidInputError { faults { path } }" : ""}
      } }`,
      { input },
    );
    return data[verb];
  }
  const rotate = () => change("rotateTenantKey", `key { ${keyFacts} }`);
  const disable = (keyId: string) => change("disableTenantKey", `key { ${keyFacts} } snapshotsLost`, { keyId });
  const handOver = (...recipients: string[]) =>
    change("setTenantRecipients", `keys { ${keyFacts} } platformCanRestore consequence`, {
      tenantId: acme.tenantId,
      recipients,
    });
  async function ownKey() {
    const identity = await generateX25519Identity();
    return { identity, recipient: await identityToRecipient(identity) };
  }

  /** Backs up; answers the snapshot and what the worker was told to seal it to. */
  async function backUp() {
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const snapshot = madeSnapshot(job);
    await worker.api.completeJob({ ...leaseOf(job), snapshot });
    return { snapshotId: snapshot.snapshotId, recipients: job.backup?.recipients ?? [] };
  }

  /** What the restore service is given to open the snapshot with, as recipients; or the code of the refusal. */
  async function restore(snapshotId: string): Promise<string[] | string> {
    const answer = await change("startRestore", "restore { id }", { snapshotId, form: "ZIP" });
    if (answer.code) return answer.code;
    const { sealed } = await service.api.claimSecrets(leaseOf(await service.take("RESTORE")));
    const { identities } = (await service.unseal(sealed)) as { identities: string[] };
    await emptyQueue(hub.running.hub.db);
    return Promise.all(identities.map((identity) => identityToRecipient(identity)));
  }

  it("are one of the platform's at first, of which only the public half is shown", async () => {
    const [key, ...more] = await keys();
    assert.deepEqual(more, []);
    const { id, publicKey, ...shown } = key;
    assert.match(publicKey, /^age1[0-9a-z]{58}$/);
    assert.deepEqual(shown, {
      algorithm: "age-x25519",
      fingerprint: fingerprint(publicKey),
      custody: "PLATFORM",
      status: "ACTIVE",
      snapshotsOnlyOpenedByIt: 0,
      rotatedAt: null,
    });
    const { data } = await acme.ask(`query ($id: ID!) { node(id: $id) { ... on TenantKey { publicKey } } }`, { id });
    assert.equal(data.node.publicKey, publicKey);
    const { data: schema } = await acme.ask(`{ __type(name: "TenantKey") { fields { name } } }`);
    assert.doesNotMatch(JSON.stringify(schema), /private|sealed|secret/i);
  });

  it("open what was sealed to them: active, rotated and disabled ones, and the customer's own", async () => {
    const [first] = await keys();
    const sealedToFirst = await backUp();
    assert.deepEqual(sealedToFirst.recipients, [first.publicKey]);
    assert.deepEqual(await restore(sealedToFirst.snapshotId), [first.publicKey]);

    const { key: second } = await rotate();
    const sealedToSecond = await backUp();
    assert.deepEqual(sealedToSecond.recipients, [second.publicKey]);
    assert.deepEqual(await restore(sealedToFirst.snapshotId), [first.publicKey]);
    assert.deepEqual(await restore(sealedToSecond.snapshotId), [second.publicKey]);

    await disable(first.id);
    assert.deepEqual((await backUp()).recipients, [second.publicKey]);
    assert.equal(await restore(sealedToFirst.snapshotId), "KEY_UNAVAILABLE");
    assert.deepEqual(await restore(sealedToSecond.snapshotId), [second.publicKey]);

    const own = await ownKey();
    await handOver(own.recipient);
    const sealedToOwn = await backUp();
    assert.deepEqual(sealedToOwn.recipients, [own.recipient]);
    assert.equal(await restore(sealedToOwn.snapshotId), "CUSTOMER_KEY_REQUIRED");
    assert.deepEqual(await restore(sealedToSecond.snapshotId), [second.publicKey]);

    // Back to the platform: what is the customer's stays the customer's.
    const { key: third } = await rotate();
    assert.deepEqual((await backUp()).recipients, [third.publicKey]);
    assert.equal(await restore(sealedToOwn.snapshotId), "CUSTOMER_KEY_REQUIRED");
    assert.deepEqual(
      (await keys()).map((key: { custody: string; status: string }) => `${key.custody} ${key.status}`),
      ["PLATFORM ACTIVE", "CUSTOMER ROTATED", "PLATFORM ROTATED", "PLATFORM DISABLED"],
    );
  });

  it("that are disabled are named by the refusal, and one disabled under a waiting restore opens nothing either", async () => {
    const [first] = await keys();
    const { snapshotId } = await backUp();
    await rotate();
    await change("startRestore", "restore { id }", { snapshotId, form: "ZIP" });
    await disable(first.id);
    const held = await service.take("RESTORE");
    await assert.rejects(service.api.claimSecrets(leaseOf(held)), { code: "KEY_UNAVAILABLE" });
    const answer = await change("startRestore", "restore { id }", { snapshotId, form: "ZIP" });
    assert.equal(
      answer.message,
      `The key ${first.id} that this snapshot is sealed to was disabled: nothing that needs it can be restored.`,
    );
    const { data } = await acme.ask(
      `query ($id: ID!) { snapshot(id: $id) { restorableByPlatform viewerCanRestore } }`,
      {
        id: snapshotId,
      },
    );
    assert.deepEqual(data.snapshot, { restorableByPlatform: false, viewerCanRestore: false });
  });

  it("say beforehand how many snapshots are lost to the platform without them, and afterwards how many were", async () => {
    await backUp();
    await backUp();
    const { key: second } = await rotate();
    await backUp();
    const [, first] = await keys();
    assert.equal(first.snapshotsOnlyOpenedByIt, 2);
    assert.equal((await keys())[0].snapshotsOnlyOpenedByIt, 1);
    assert.equal((await disable(second.id)).code, "LAST_KEY");
    const disabled = await disable(first.id);
    assert.deepEqual([disabled.snapshotsLost, disabled.key.status], [2, "DISABLED"]);
    assert.deepEqual(await disable(first.id), disabled);
    const lines = await hub.running.hub.db.auditEvent.findMany({
      where: { verb: "disableTenantKey", objectId: first.id },
    });
    assert.deepEqual(
      lines.map(({ before: was, after: is }) => [was, is]),
      [[{ status: "ROTATED" }, { status: "DISABLED", snapshotsLost: 2 }]],
    );
  });

  it("of the customer are several: everything is sealed to each, and the platform says that it restores nothing of it", async () => {
    const [one, two] = [await ownKey(), await ownKey()];
    const hybrid = await identityToRecipient(await generateHybridIdentity());
    const answer = await handOver(one.recipient, ` ${two.recipient}\n`, hybrid);
    assert.equal(answer.platformCanRestore, false);
    assert.match(answer.consequence, /open with your private keys alone.*the platform can neither restore/);
    assert.deepEqual(
      answer.keys.map((key: { algorithm: string; custody: string; status: string }) => [
        key.algorithm,
        key.custody,
        key.status,
      ]),
      [
        ["age-x25519", "CUSTOMER", "ACTIVE"],
        ["age-x25519", "CUSTOMER", "ACTIVE"],
        ["age-mlkem768x25519", "CUSTOMER", "ACTIVE"],
      ],
    );
    const { snapshotId, recipients } = await backUp();
    assert.deepEqual([...recipients].sort(), [one.recipient, two.recipient, hybrid].sort());
    const { data } = await acme.ask(
      `query ($id: ID!) { snapshot(id: $id) { sealedTo restorableByPlatform viewerCanRestore } }`,
      { id: snapshotId },
    );
    const { sealedTo, ...rest } = data.snapshot;
    assert.deepEqual(sealedTo.sort(), [one.recipient, two.recipient, hybrid].map(fingerprint).sort());
    assert.deepEqual(rest, { restorableByPlatform: false, viewerCanRestore: false });
    const refusal = await change("startRestore", "restore { id }", { snapshotId, form: "ZIP" });
    assert.equal(refusal.code, "CUSTOMER_KEY_REQUIRED");
    assert.match(refusal.message, /age -d -i key\.txt backup\.tar\.zst\.enc \| zstd -d \| tar x$/);
  });

  it("of the customer are replaced as a whole, and one that is named again is in force again", async () => {
    const [one, two] = [await ownKey(), await ownKey()];
    await handOver(one.recipient);
    await handOver(two.recipient);
    assert.deepEqual((await backUp()).recipients, [two.recipient]);
    await handOver(two.recipient, one.recipient);
    const states = new Map(
      (await keys()).map((key: { publicKey: string; status: string }) => [key.publicKey, key.status]),
    );
    assert.deepEqual([states.get(one.recipient), states.get(two.recipient), states.size], ["ACTIVE", "ACTIVE", 3]);
    const [newest] = (await keys()).filter((key: { publicKey: string }) => key.publicKey === two.recipient);
    assert.equal((await disable(newest.id)).snapshotsLost, 0);
    assert.deepEqual((await backUp()).recipients, [one.recipient]);
  });

  it("are never private ones: of such a thing nothing is stored, logged or repeated", async () => {
    const own = await ownKey();
    const hybrid = await generateHybridIdentity();
    const before = await everything(hub.running.hub.db);
    for (const secret of [own.identity, own.identity.toLowerCase(), `# created\n${own.identity}`, ` ${hybrid} `]) {
      const answer = await handOver(own.recipient, secret);
      assert.equal(answer.code, "BAD_INPUT");
      assert.deepEqual(
        answer.faults.map(({ path }: { path: string }) => path),
        ["recipients.1"],
      );
      assert.match(answer.message, /This is a private key\. It was not stored/);
      const secretPart = secret.trim().slice(-40);
      for (const place of [JSON.stringify(answer), hub.lines.join("\n")])
        assert.ok(!place.toLowerCase().includes(secretPart.toLowerCase()));
    }
    assert.deepEqual(await everything(hub.running.hub.db), before);
    const rows = await hub.running.hub.db.tenantKey.findMany({ where: { tenantId: acme.tenantId } });
    assert.deepEqual(
      rows.map(({ custody }) => custody),
      ["PLATFORM"],
    );
  });

  it("are refused in a sentence each where they are none that can be sealed to", async () => {
    const { recipient } = await ownKey();
    const ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4sRm5n7b3Qq2F0Cq0s9m8m1vZJYbF3m5k8cV1h0Q2L me@example.com";
    const yubikey = "age1yubikey1qdef5mrlyc35e8n9syrd3q9q9ta9jv0tx4yl3ms4kqcrpnhjjfdxsgxkcaq";
    const tag = "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e";
    const sentences: [given: string[], sentence: RegExp][] = [
      [[], /^recipients: Name at least one/],
      [Array.from({ length: 9 }, () => recipient), /^recipients: Name at most 8/],
      [[recipient, recipient], /^recipients\.1: This recipient is named twice/],
      [[ssh], /SSH keys are not taken/],
      [[yubikey], /Recipients of plugins and hardware tokens are not taken/],
      [[tag], /Recipients of plugins and hardware tokens are not taken/],
      [["correct horse battery staple"], /a passphrase is none/],
      [[""], /begins with age1/],
      [[recipient.slice(0, -1)], /a character of it is missing or wrong/],
      [[`${recipient.slice(0, -1)}${recipient.endsWith("q") ? "p" : "q"}`], /a character of it is missing or wrong/],
      [["age1"], /a character of it is missing or wrong/],
      [[`${recipient}\0`], /a character of it is missing or wrong/],
      [[`age1${"q".repeat(100_000)}`], /a character of it is missing or wrong/],
      [[(await keys())[0].publicKey], /held by the platform: give one of your own/],
    ];
    const before = await everything(hub.running.hub.db);
    for (const [given, sentence] of sentences) {
      const answer = await handOver(...given);
      assert.equal(answer.code, "BAD_INPUT", String(given));
      assert.match(answer.message, sentence);
    }
    assert.deepEqual(await everything(hub.running.hub.db), before);
    assert.equal((await keys()).length, 1);
  });

  it("are changed by people alone: a program's key of an owner changes none", async () => {
    const actor: ApiKeyActor = {
      kind: "apiKey",
      apiKeyId: newId("apiKey", new Date()),
      tenantId: acme.tenantId,
      roles: new Map([[acme.tenantId, "OWNER"]]),
      sourceIds: [],
    };
    const seen = hubFor(hub.running.hub, actor);
    const { tenantId } = acme;
    const [key] = await keys();
    const { recipient } = await ownKey();
    for (const attempt of [
      () => rotateTenantKey(seen, actor, { tenantId }),
      () => disableTenantKey(seen, actor, { keyId: key.id }),
      () => setTenantRecipients(seen, actor, { tenantId, recipients: [recipient] }),
    ])
      await assert.rejects(attempt(), { code: "FORBIDDEN" });
    assert.equal((await keys()).length, 1);
  });

  it("are one that is active, however many rotations come at once", async () => {
    await Promise.all(Array.from({ length: 5 }, rotate));
    const all = await keys();
    assert.equal(all.length, 6);
    assert.deepEqual(all.filter(({ status }: { status: string }) => status === "ACTIVE").length, 1);
    assert.equal((await backUp()).recipients.length, 1);
  });

  it("of the platform do open what is sealed to them", async () => {
    const { key } = await rotate();
    const row = await hub.running.hub.db.tenantKey.findUniqueOrThrow({ where: { id: key.id } });
    const place = { tenantId: acme.tenantId, rowId: key.id, kind: "tenant-key" as const };
    const identity = hub.running.hub.vault.open(place, row.sealedPrivateKey ?? new Uint8Array());
    assert.equal(await identityToRecipient(identity), key.publicKey);
    new Decrypter().addIdentity(identity);
    const [other] = await hub.running.hub.db.tenantKey.findMany({
      where: { tenantId: acme.tenantId, id: { not: key.id } },
    });
    assert.throws(() => hub.running.hub.vault.open(place, other?.sealedPrivateKey ?? new Uint8Array()));
  });
});
