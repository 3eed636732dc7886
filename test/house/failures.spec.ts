// What goes wrong with a source or a disk: the job fails with a code of the closed list and a sentence, nothing is left behind,
// and once the cause is mended the next attempt succeeds.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { failureCodes } from "../../domain/rules/failures.ts";
import { type StagedSite, stageSite } from "../stage/backed-up-site.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { tempLeft } from "../stage/temp-left.ts";
import { deleteAtOnce, jobEnd, startJob } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";

const run = promisify(execFile);

describe("a backup that cannot be made", { skip: missingOpenSsh ?? false }, () => {
  let site: StagedSite;
  let scratch: string;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "xvault-failures-"));
    // Eight megabytes: enough for a small site, too little for a large file.
    await run("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", scratch]);
    site = await stageSite(tree({ "index.html": "hello" }), { storageBase: join(scratch, "store") });
  });

  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await run("umount", [scratch]);
    await rm(scratch, { recursive: true, force: true });
  });

  async function backUp() {
    return jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", site.sourceId));
  }

  async function configure(config: object): Promise<void> {
    const { host, port, username, data: path } = site.sshd;
    const { data } = await site.acme.ask(
      `mutation ($input: UpdateSourceInput!) { updateSource(input: $input) { __typename ... on Failure { message } } }`,
      { input: { sourceId: site.sourceId, config: { host, port, username, path, ...config } } },
    );
    assert.equal(data.updateSource.__typename, "UpdateSourcePayload", data.updateSource.message);
  }

  async function setPassword(password: string): Promise<void> {
    const { data } = await site.acme.ask(
      `mutation ($input: UpdateCredentialInput!) { updateCredential(input: $input) { __typename } }`,
      { input: { credentialId: site.credentialId, secret: { password } } },
    );
    assert.equal(data.updateCredential.__typename, "UpdateCredentialPayload");
  }

  async function assertFails(expected: string, job: Awaited<ReturnType<typeof jobEnd>>): Promise<void> {
    assert.equal(job.status, "FAILED");
    assert.equal(job.errorCode, expected, job.errorMessage);
    assert.ok(failureCodes.includes(job.errorCode));
    assert.match(job.errorMessage, /^[A-Z“].{10,}\.$/s, "a sentence");
    assert.equal(job.snapshot, null);
    const left = await readdir(site.worker.storageBase, { recursive: true });
    assert.deepEqual(
      left.filter((path) => path.includes(".staging")),
      [],
    );
    assert.deepEqual(await tempLeft(site.worker.tempBase), []);
  }

  async function assertSucceeds(): Promise<void> {
    const job = await backUp();
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    await deleteAtOnce(site.hub);
    await jobEnd(site.acme.ask, await startJob(site.acme.ask, "deleteSnapshot", job.snapshot.id));
  }

  it("for a wrong password fails SOURCE_AUTH_FAILED at once, and succeeds with the right one", async () => {
    await setPassword("wrong-password");
    const job = await backUp();
    await assertFails("SOURCE_AUTH_FAILED", job);
    assert.equal(job.attempt, 1);
    await setPassword(site.sshd.password);
    await assertSucceeds();
  });

  it("for a missing path fails PATH_NOT_FOUND, and succeeds once the path is right", async () => {
    await configure({ path: `${site.sshd.data}/no such place` });
    await assertFails("PATH_NOT_FOUND", await backUp());
    await configure({});
    await assertSucceeds();
  });

  it("for a changed host key fails HOST_KEY_CHANGED without sending the password, and succeeds once the key is accepted", async () => {
    const before = (await site.sshd.log()).length;
    await site.sshd.changeHostKey();
    await assertFails("HOST_KEY_CHANGED", await backUp());
    assert.doesNotMatch((await site.sshd.log()).slice(before), /Accepted|Failed password/);
    await site.acme.ask(`mutation ($id: ID!) { acceptHostKey(input: { sourceId: $id }) { __typename } }`, {
      id: site.sourceId,
    });
    await jobEnd(site.acme.ask, await startJob(site.acme.ask, "testSource", site.sourceId));
    await assertSucceeds();
  });

  it("for a full disk fails DISK_FULL, and succeeds once there is room", async () => {
    const big = join(site.sshd.data, "big.bin");
    await writeFile(big, seededBytes(24 * 1024 * 1024, "big"));
    await assertFails("DISK_FULL", await backUp());
    await rm(big);
    await assertSucceeds();
  });

  it("for an unreachable port fails SOURCE_DISCONNECTED after every attempt, and succeeds once it is right", async () => {
    await configure({ port: 1 });
    await repin();
    const job = await backUp();
    await assertFails("SOURCE_DISCONNECTED", job);
    assert.equal(job.attempt, 3);
    await configure({});
    await repin();
    await assertSucceeds();
  });

  it("for an unknown host fails SOURCE_DISCONNECTED, and succeeds once it is right", async () => {
    await configure({ host: "no-such-host.invalid" });
    await repin();
    await assertFails("SOURCE_DISCONNECTED", await backUp());
    await configure({});
    await repin();
    await assertSucceeds();
  });

  /** Another host or port forgets the pinned key; these tests are about what comes after. */
  async function repin(): Promise<void> {
    await site.hub.running.hub.db.source.update({
      where: { id: site.sourceId },
      data: { hostKey: await presentHostKey() },
    });
  }

  async function presentHostKey(): Promise<string> {
    const { stdout } = await run("ssh-keygen", ["-lf", join(site.sshd.files, "host.pub")]);
    return stdout.split(" ")[1] ?? "";
  }
});
