// F27, keys that are rotated, disabled, wrong, gone, or the customer's own: what each of them opens, and what is sealed meanwhile.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { TenantKey } from "../../prisma/client/client.ts";
import { type StagedProcess, stageRestore } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { tree } from "../stage/tree.ts";
import { type KeptSite, stageKeptSite } from "./kit/kept-site.ts";

describe("a snapshot and the key that it is sealed to", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: KeptSite;
  let restoreService: StagedProcess;
  before(async () => {
    site = stack.use(await stageKeptSite(tree({ "index.html": "hello" }), { hubTerms: { retryDelaysSeconds: [0.2] } }));
    restoreService = stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase }));
  });
  after(() => stack.disposeAsync());

  const change = async (mutation: string, input: object) => {
    const name = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}`;
    const { data } = await site.acme.ask(
      `mutation ($input: ${name}Input!) { ${mutation}(input: $input) { __typename ... on Failure { code message } } }`,
      { input },
    );
    assert.equal(data[mutation].__typename, `${name}Payload`, data[mutation].message);
  };
  const rotate = () => change("rotateTenantKey", { tenantId: site.acme.tenantId });
  const keyOf = async (snapshotId: string): Promise<TenantKey> => {
    const { keyFingerprint, tenantId } = await site.hub.db.snapshot.findUniqueOrThrow({ where: { id: snapshotId } });
    return site.hub.db.tenantKey.findFirstOrThrow({ where: { tenantId, fingerprint: keyFingerprint } });
  };
  /** `COMPLETED`, or the code and sentence of the refusal or the failure. */
  async function restored(snapshotId: string): Promise<string> {
    const { code, message, url, jobId } = await site.restore(snapshotId);
    if (code) return `${code}: ${message}`;
    const { status, errorCode, errorMessage } = await jobEnd(site.acme.ask, jobId);
    if (status !== "COMPLETED") return `${errorCode}: ${errorMessage}`;
    assert.equal((await fetch(url)).status, 200);
    return status;
  }

  it("opens with it when it is rotated, and so does what is sealed to the next one", async () => {
    const old = await site.backUp();
    await rotate();
    const newer = await site.backUp();
    assert.notEqual((await keyOf(old)).id, (await keyOf(newer)).id);
    assert.equal((await keyOf(old)).status, "ROTATED");
    assert.deepEqual([await restored(old), await restored(newer)], ["COMPLETED", "COMPLETED"]);
    assert.equal((await site.verify(old, "CONTENT")).status, "COMPLETED");
  });

  it("is refused with the key's id when that is disabled, also while its restore waits; backups go on", async () => {
    const old = await site.backUp();
    const { id: keyId } = await keyOf(old);
    await rotate();
    await restoreService.end("SIGTERM");
    const { jobId } = await site.restore(old);
    await change("disableTenantKey", { keyId });
    assert.match(await restored(old), new RegExp(`^KEY_UNAVAILABLE: .*${keyId}`));
    await assert.rejects(site.verify(old, "CONTENT"), new RegExp(keyId));
    const { identity } = restoreService;
    restoreService = stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase, identity }));
    const waited = await jobEnd(site.acme.ask, jobId);
    assert.equal(waited.errorCode, "KEY_UNAVAILABLE");
    assert.match(waited.errorMessage, new RegExp(keyId));
    assert.equal((await site.verify(old)).status, "COMPLETED", "its bytes are no secret");
    assert.equal(await restored(await site.backUp()), "COMPLETED");
  });

  it("is refused with the key's id where what is kept of it is another key, or cannot be read; backups go on", async () => {
    const snapshotId = await site.backUp();
    const { id, tenantId, sealedPrivateKey } = await keyOf(snapshotId);
    const { vault } = site.hub.running.hub;
    const another = vault.seal({ tenantId, rowId: id, kind: "tenant-key" }, await generateX25519Identity());
    const pasted = vault.seal(
      { tenantId, rowId: "key_of_another_row", kind: "tenant-key" },
      await generateX25519Identity(),
    );
    for (const wrong of [another, pasted, Buffer.from("junk")]) {
      await site.hub.db.tenantKey.update({ where: { id }, data: { sealedPrivateKey: new Uint8Array(wrong) } });
      assert.match(await restored(snapshotId), new RegExp(`^KEY_UNAVAILABLE: .*${id}`));
      const check = await site.verify(snapshotId, "CONTENT");
      assert.equal(check.errorCode, "KEY_UNAVAILABLE");
      assert.equal((await site.snapshot(snapshotId)).status, "COMPLETED", "a wrong key is no damage");
    }
    await site.backUp();
    await site.hub.db.tenantKey.update({ where: { id }, data: { sealedPrivateKey } });
    assert.equal(await restored(snapshotId), "COMPLETED");
  });

  it("that only the customer holds is sealed all the same, and is asked for by name when it is to be opened", async () => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    await change("setTenantRecipients", { tenantId: site.acme.tenantId, recipients });
    const snapshotId = await site.backUp();
    assert.match(await restored(snapshotId), /^CUSTOMER_KEY_REQUIRED: .*age -d/);
    await assert.rejects(site.verify(snapshotId, "CONTENT"), /CUSTOMER_KEY_REQUIRED/);
    assert.equal((await site.verify(snapshotId)).status, "COMPLETED");
    const { jobId } = await site.restore(snapshotId, "SEALED");
    assert.equal((await jobEnd(site.acme.ask, jobId)).status, "COMPLETED");
    await rotate();
  });

  it("is not made where no key is left to seal to, and the failure says so", async () => {
    const { tenantId } = site.acme;
    const active = { tenantId, status: "ACTIVE" } as const;
    const ids = (await site.hub.db.tenantKey.findMany({ where: active })).map(({ id }) => id);
    await site.hub.db.tenantKey.updateMany({ where: active, data: { status: "ROTATED" } });
    const job = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", site.sourceId));
    assert.deepEqual([job.status, job.errorCode, job.snapshot], ["FAILED", "KEY_UNAVAILABLE", null]);
    await site.hub.db.tenantKey.updateMany({ where: { id: { in: ids } }, data: { status: "ACTIVE" } });
    assert.equal(await restored(await site.backUp()), "COMPLETED");
  });
});
