// F35, a download that is cut, resumed and met by a service that was killed: the same bytes and tag until one of it has arrived whole,
// then nothing more. What the protocol promises in detail is in test/restore/download.spec.ts.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Answer, ask } from "../restore/link-client.ts";
import { type StagedProcess, stageRestore, type WorkerIdentity } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";
import { described, filesBelow, type KeptSite, stageKeptSite } from "./kit/kept-site.ts";

const big = seededBytes(3_000_000, "links");

describe("a download link of a real restore", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: KeptSite;
  let snapshotId: string;
  let identity: WorkerIdentity;
  let service: StagedProcess;
  let tempBase: string;
  before(async () => {
    site = stack.use(await stageKeptSite(tree({ "big.bin": big })));
    snapshotId = await site.backUp();
    identity = await site.hub.enrol("RESTORE");
    service = stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase, identity }));
    tempBase = service.tempBase;
  });
  after(() => stack.disposeAsync());

  async function restartAfter(signal: NodeJS.Signals): Promise<void> {
    await service.end(signal);
    const env = { WORKER_TEMP_BASE: tempBase };
    service = stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase, identity, env }));
  }
  async function ready(): Promise<string> {
    const { url, jobId } = await site.restore(snapshotId, "TAR");
    assert.equal((await jobEnd(site.acme.ask, jobId)).status, "COMPLETED");
    for (let tries = 0; (await ask(url, { method: "HEAD" })).status === 503 && tries < 100; tries++) await pause(50);
    return url;
  }
  const plaintext = () => filesBelow(tempBase, described);
  async function gone(url: string): Promise<void> {
    let answer: Answer;
    const deadline = performance.now() + 20_000;
    do answer = await ask(url, { cutAfter: 0 });
    while (answer.status !== 410 && performance.now() < deadline && (await pause(50, true)));
    assert.equal(answer.status, 410);
    for (; (await plaintext()).length > 0 && performance.now() < deadline; ) await pause(50);
    assert.deepEqual(await plaintext(), []);
  }

  for (const signal of ["SIGKILL", "SIGTERM"] as const)
    it(`goes on where it was cut, ten times over and past a ${signal} of the service, and ends with the last byte`, async () => {
      const url = await ready();
      const whole = Number((await ask(url, { method: "HEAD" })).headers["content-length"]);
      const parts: Buffer[] = [];
      const tags = new Set<string | undefined>();
      const length = () => parts.reduce((sum, part) => sum + part.length, 0);
      for (let n = 0; n < 10; n++) {
        const at = length();
        const answer = await ask(url, {
          cutAfter: Math.ceil(whole / 12),
          ...(at > 0 && { headers: { range: `bytes=${at}-`, "if-range": [...tags][0] ?? "" } }),
        });
        assert.equal(answer.status, at === 0 ? 200 : 206);
        tags.add(answer.headers.etag);
        parts.push(answer.body);
        if (n === 3) await restartAfter(signal);
        if (n === 6) {
          assert.equal((await ask(url, { method: "HEAD" })).status, 200);
          assert.equal((await ask(url, { headers: { "user-agent": "Slackbot-LinkExpanding 1.0" } })).status, 403);
        }
      }
      const rest = await ask(url, { headers: { range: `bytes=${length()}-` } });
      assert.equal(rest.status, 206);
      tags.add(rest.headers.etag);
      parts.push(rest.body);
      assert.equal(tags.size, 1);
      const content = Buffer.concat(parts);
      assert.equal(content.length, whole);
      assert.ok(content.includes(big));
      await gone(url);
    });

  it("serves two clients at once, whole to each, and no third", async () => {
    const url = await ready();
    const answers = await Promise.all([ask(url), ask(url)]);
    for (const { status, body } of answers) {
      assert.equal(status, 200);
      assert.ok(body.includes(big));
    }
    await gone(url);
  });

  it("of which nothing was fetched is whole after a restart, and one that was used up stays so", async () => {
    const [used, fresh] = [await ready(), await ready()];
    assert.equal((await ask(used)).status, 200);
    for (let tries = 0; (await ask(used, { cutAfter: 0 })).status !== 410 && tries < 200; tries++) await pause(50);
    // Its end is durable before its file is wiped.
    for (let tries = 0; (await plaintext()).length > 1 && tries < 200; tries++) await pause(50);
    await restartAfter("SIGKILL");
    assert.equal((await ask(used)).status, 410);
    const tail = await ask(fresh, { headers: { range: "bytes=100-" } });
    assert.equal(tail.status, 206);
    const { status, body } = await ask(fresh);
    assert.equal(status, 200, "a tail of what nobody has the beginning of is not all of it");
    assert.ok(body.includes(big));
    await gone(fresh);
  });

  it("is wiped when its time is over, though nobody came", async () => {
    const url = await ready();
    await site.hub.db.restore.updateMany({ where: { status: "READY" }, data: { expiresAt: new Date() } });
    await gone(url);
  });
});
