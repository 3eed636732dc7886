// A snapshot that only its customer can open: it goes out as it is stored, and their own key opens it.
import assert from "node:assert/strict";
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { openWithStockTools } from "../stage/artifact-commands.ts";
import { type StagedSite, stageSite } from "../stage/backed-up-site.ts";
import { stageRestore } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { tree } from "../stage/tree.ts";

describe("a snapshot that only its customer can open", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: StagedSite;
  let directory: string;
  let identity: string;
  let snapshotId: string;
  before(async () => {
    site = stack.use(await stageSite(tree({ "index.html": "hello", "täst/ü.txt": "x".repeat(100_000) })));
    stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase }));
    directory = await mkdtemp(join(tmpdir(), "xvault-sealed-"));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    identity = await generateX25519Identity();
    const { data } = await site.acme.ask(
      `mutation ($input: SetTenantRecipientsInput!) { setTenantRecipients(input: $input) { ... on SetTenantRecipientsPayload { platformCanRestore } } }`,
      { input: { tenantId: site.acme.tenantId, recipients: [await identityToRecipient(identity)] } },
    );
    assert.equal(data.setTenantRecipients.platformCanRestore, false);
    const backup = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", site.sourceId));
    assert.equal(backup.status, "COMPLETED", backup.errorMessage);
    snapshotId = backup.snapshot.id;
  });
  after(() => stack.disposeAsync());

  async function restore(form: string, selection: string[] = []) {
    const { data } = await site.acme.ask(
      `mutation ($input: StartRestoreInput!) { startRestore(input: $input) {
        ... on StartRestorePayload { downloadUrl restore { job { id } } } ... on Failure { code message }
      } }`,
      { input: { snapshotId, form, selection } },
    );
    return data.startRestore;
  }

  it("cannot be restored in any other form, and says which one it takes", async () => {
    for (const form of ["ZIP", "TAR"]) {
      const { code, message } = await restore(form);
      assert.equal(code, "CUSTOMER_KEY_REQUIRED");
      assert.match(message, /form SEALED/);
    }
    assert.equal((await restore("SEALED", ["index.html"])).code, "BAD_INPUT");
  });

  it("goes out sealed, and opens with the customer's key and nothing of ours", async () => {
    const { downloadUrl, restore: made } = await restore("SEALED");
    const job = await jobEnd(site.acme.ask, made.job.id);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    const response = await fetch(downloadUrl);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    assert.match(response.headers.get("content-disposition") ?? "", new RegExp(`${snapshotId}\\.tar\\.zst\\.age`));
    await writeFile(join(directory, "backup.tar.zst.enc"), Buffer.from(await response.arrayBuffer()));
    const target = await mkdtemp(join(directory, "opened-"));
    await openWithStockTools(directory, identity, target);
    assert.equal(await readFile(join(target, "index.html"), "utf8"), "hello");
    assert.equal((await readFile(join(target, "täst/ü.txt"), "utf8")).length, 100_000);
  });

  it("hands out nothing where one bit of it was changed", async () => {
    const base = site.worker.storageBase;
    const stored = (await readdir(base, { recursive: true })).find((name) => name.endsWith("backup.tar.zst.enc"));
    const file = await open(join(base, stored ?? ""), "r+");
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 700);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 700);
    await file.close();
    const { downloadUrl, restore: made } = await restore("SEALED");
    const job = await jobEnd(site.acme.ask, made.job.id);
    assert.deepEqual([job.status, job.errorCode], ["FAILED", "ARTIFACT_CORRUPT"]);
    assert.equal((await fetch(downloadUrl)).status, 404);
  });
});
