// However large a file is, the worker that backs it up stays small.
import assert from "node:assert/strict";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stageSite } from "../stage/backed-up-site.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";

const fileBytes = 2 * 1024 ** 3;
const mostMiB = 300;

describe("the worker's memory", { skip: missingOpenSsh ?? false }, () => {
  it(`stays under ${mostMiB} MB while it backs up a file of 2 GiB`, async (t) => {
    await using site = await stageSite(tree({ "index.html": "hello" }));
    await writeBigFile(join(site.sshd.data, "big.bin"));
    const job = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", site.sourceId), 240_000);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    assert.equal(BigInt(job.snapshot.plainBytes), BigInt(fileBytes) + 5n);
    const status = await readFile(`/proc/${site.worker.child.pid}/status`, "utf8");
    const peakMiB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
    t.diagnostic(`peak memory of the worker: ${peakMiB} MB`);
    assert.ok(peakMiB < mostMiB, `${peakMiB} MB`);
  });
});

/** Half of it can be compressed, as real files can. */
async function writeBigFile(path: string): Promise<void> {
  await using file = await open(path, "w", 0o644);
  const mebibyte = 1024 ** 2;
  const noise = seededBytes(8 * mebibyte, "big");
  const text = Buffer.alloc(8 * mebibyte, "All work and no play makes a dull backup. ");
  for (let written = 0; written < fileBytes; written += noise.length + text.length) {
    await file.write(noise);
    await file.write(text);
  }
}
