// Row F23: a disk that fails, is full, interrupts or lies at the N-th write, sync, rename, opening or read of a real worker and of a real
// restore service: the job ends well, or with a failure from the closed list, and nothing is left over.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { failureCodes } from "../../domain/rules/failures.ts";
import type { StagedProcess } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd } from "../stage/tenant.ts";
import { seededBytes, smallFiles } from "../stage/tree.ts";
import { type FaultGround, stageGround } from "./kit/ground.ts";
import { inject, missingStrace } from "./kit/strace.ts";

const content = new Map([
  ...smallFiles(30),
  ["large", { kind: "file", content: seededBytes(10_000_000, "syscalls") } as const],
]);

/** Calls that only files are made with, besides `write` and `read`, which are interrupted alone. */
const kinds = [
  ["pwrite64", "error=EIO"],
  ["pwrite64", "error=ENOSPC"],
  ["pwrite64", "error=EINTR"],
  // Says that one byte was written, and wrote none.
  ["pwrite64", "retval=1"],
  ["fsync", "error=EIO"],
  ["fsync", "error=EINTR"],
  ["rename", "error=EIO"],
  ["openat", "error=EIO"],
  ["openat", "error=EMFILE"],
  ["mkdir", "error=ENOSPC"],
  ["pread64", "error=EIO"],
  ["pread64", "error=EINTR"],
  // The end of the file, where there is more.
  ["pread64", "retval=0"],
  ["write", "error=EINTR"],
  ["read", "error=EINTR"],
] as const;
/** Calls that only deletions make. */
const removals = [
  ["rename", "error=EIO"],
  ["unlink,unlinkat,rmdir", "error=EIO"],
] as const;
const places = ["1", "2", "4+9", "3+5"];

describe("a process on a disk that fails", { skip: missingOpenSsh ?? missingStrace() ?? false }, () => {
  const stack = new AsyncDisposableStack();
  const outcomes = new Map<string, number>();
  let injections = 0;
  let jobs = 0;
  let ground: FaultGround;
  before(async () => {
    ground = stack.use(await stageGround(content));
    await using _ = await ground.start("worker");
    await ground.completed(await ground.backUp());
  });
  after(async () => {
    const told = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(", ");
    process.stdout.write(`${injections} system calls were made to fail in ${jobs} jobs: ${told}\n`);
    await stack.disposeAsync();
  });

  async function underInjection(
    kind: "worker" | "restore",
    [calls, fault]: readonly [string, string],
    begin: () => Promise<string>,
  ): Promise<void> {
    let running: StagedProcess = await ground.start(kind);
    try {
      for (const when of places) {
        const { pid } = running.child;
        assert.ok(pid);
        await using strace = await inject(pid, { calls, fault, when }, join(ground.directory, `strace-${calls}`));
        const jobId = await begin();
        jobs++;
        const { status, errorCode } = await endOf(jobId, running);
        injections += await strace.injected();
        const outcome = `${kind} ${status}${errorCode ? ` ${errorCode}` : ""}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (status !== "COMPLETED") assert.ok(failureCodes.includes(errorCode), `${errorCode}`);
        if (running.child.exitCode === null && running.child.signalCode === null) continue;
        await running[Symbol.asyncDispose]();
        running = await ground.start(kind);
      }
    } finally {
      await running[Symbol.asyncDispose]();
    }
    // What could not be removed under the fault is removed by the next start.
    await (await ground.start(kind))[Symbol.asyncDispose]();
    await ground.clean(`after ${fault} of ${calls} in a ${kind}`);
    process.stdout.write(`${kind}, ${calls}, ${fault}: ${injections} calls were made to fail so far\n`);
  }

  /** A process that a fault has ended leaves its job to the next one. */
  async function endOf(jobId: string, { child }: StagedProcess) {
    const isOver = () => child.exitCode !== null || child.signalCode !== null;
    for (const deadline = performance.now() + 180_000; ; ) {
      try {
        return await jobEnd(ground.acme.ask, jobId, 5_000);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        if (!isOver()) continue;
        await ground.loseLease(jobId).catch(() => undefined);
        await using _ = await ground.start("worker");
        await using __ = await ground.start("restore");
        return await jobEnd(ground.acme.ask, jobId, 120_000).catch(() => Promise.reject(error));
      }
    }
  }

  for (const [calls, fault] of kinds) {
    it(`backs up well or fails clean: ${calls}, ${fault}`, () =>
      underInjection("worker", [calls, fault], () => ground.backUp()));
    // A download is written without positions, by the call that everything else is written with as well.
    if (calls === "pwrite64") continue;
    it(`prepares a download well or fails clean: ${calls}, ${fault}`, () =>
      underInjection("restore", [calls, fault], async () => ground.restore((await ground.goodSnapshots())[0] ?? "")));
  }
  for (const [calls, fault] of removals)
    it(`deletes well or fails clean: ${calls}, ${fault}`, async () => {
      {
        await using _ = await ground.start("worker");
        for (const _place of places) await ground.completed(await ground.backUp());
      }
      await underInjection("worker", [calls, fault], async () =>
        ground.remove((await ground.goodSnapshots())[0] ?? ""),
      );
    });
});
