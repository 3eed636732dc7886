import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connectApi } from "../../clients/api/connect.ts";
import type { JobStep } from "../../clients/api/jobs.ts";
import { ScriptedJob } from "./scripted-job.ts";
import { startSmallHub, token } from "./small-hub.ts";

const signal = AbortSignal.timeout(60_000);

function eventsOf(steps: readonly JobStep[]): number[] {
  return steps.flatMap(({ event }) => event?.seq ?? []);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    signal.throwIfAborted();
    await pause(5);
  }
}

describe("watchJob", () => {
  it("tells the present state, every event and the progress, and ends after the final state", async () => {
    const job = new ScriptedJob();
    await using hub = await startSmallHub({ job });
    const steps: JobStep[] = [];
    for await (const step of connectApi({ url: hub.url, token }).watchJob("job_1", { signal })) {
      steps.push(step);
      if (steps.length === 1) job.move("RUNNING");
      if (steps.length === 2) job.tell({ bytesDone: "9007199254740993" });
      if (steps.length === 3) job.move("COMPLETED");
    }
    assert.deepEqual(
      steps.map(({ cursor, job: { status }, event, progress }) => [cursor, status, event?.seq, progress?.bytesDone]),
      [
        ["1", "QUEUED", undefined, undefined],
        ["2", "RUNNING", 2, undefined],
        ["2", "RUNNING", undefined, "9007199254740993"],
        ["3", "COMPLETED", 3, undefined],
      ],
    );
    await until(() => job.watchers === 0);
  });

  it("goes on after a socket was cut: no event is lost and none comes twice", async () => {
    const job = new ScriptedJob();
    await using hub = await startSmallHub({ job });
    const steps: JobStep[] = [];
    for await (const step of connectApi({ url: hub.url, token }).watchJob("job_1", { signal })) {
      steps.push(step);
      if (step.cursor === "1") job.move("RUNNING");
      if (step.cursor === "2") {
        job.log("phase", { phase: "PULLING" });
        hub.cutSockets();
        job.log("phase", { phase: "CONNECTING" });
        // Back again with nothing missed: the hub repeats the present state.
        void until(() => job.askedAfter.length === 2)
          .then(() => pause(100))
          .then(() => hub.cutSockets());
        void until(() => job.askedAfter.length === 3).then(() => job.move("COMPLETED"));
      }
    }
    assert.deepEqual(eventsOf(steps), [2, 3, 4, 5]);
    assert.deepEqual(
      steps.map(({ cursor }) => cursor),
      ["1", "2", "3", "4", "5"],
    );
    assert.equal(job.askedAfter[0], null);
    assert.equal(job.askedAfter[2], "4");
    assert.equal(hub.socketsOpened(), 3);
  });

  it("goes on from the cursor it is given", async () => {
    const job = new ScriptedJob();
    job.move("RUNNING");
    job.move("COMPLETED");
    await using hub = await startSmallHub({ job });
    const steps: JobStep[] = [];
    for await (const step of connectApi({ url: hub.url, token }).watchJob("job_1", { after: "1", signal }))
      steps.push(step);
    assert.deepEqual(eventsOf(steps), [2, 3]);
  });

  it("leaves a slow reader the newest progress only, and every event", async () => {
    const job = new ScriptedJob();
    await using hub = await startSmallHub({ job });
    const steps: JobStep[] = [];
    for await (const step of connectApi({ url: hub.url, token }).watchJob("job_1", { signal })) {
      steps.push(step);
      if (steps.length > 1) continue;
      job.move("RUNNING");
      await pause(50);
      for (let filesDone = 1; filesDone <= 500; filesDone++) job.tell({ filesDone });
      await pause(1_500);
      job.move("COMPLETED");
    }
    assert.deepEqual(eventsOf(steps), [2, 3]);
    const told = steps.flatMap(({ progress }) => progress?.filesDone ?? []);
    assert.deepEqual(told, [500]);
  });

  it("ends with the reason of its signal, and lets go of the hub", async () => {
    const job = new ScriptedJob();
    await using hub = await startSmallHub({ job });
    const stop = new AbortController();
    const watching = connectApi({ url: hub.url, token }).watchJob("job_1", { signal: stop.signal });
    await watching.next();
    setTimeout(() => stop.abort(new Error("enough")), 20);
    await assert.rejects(watching.next(), /enough/);
    await until(() => job.watchers === 0);
  });

  it("lets go of the hub when its reader leaves early", async () => {
    const job = new ScriptedJob();
    await using hub = await startSmallHub({ job });
    for await (const _ of connectApi({ url: hub.url, token }).watchJob("job_1", { signal })) break;
    await until(() => job.watchers === 0);
  });

  it("throws UNAUTHENTICATED where the token is not valid, without trying again", async () => {
    await using hub = await startSmallHub({ job: new ScriptedJob() });
    const watching = connectApi({ url: hub.url, token: "another" }).watchJob("job_1", { signal });
    await assert.rejects(watching.next(), { name: "ApiError", code: "UNAUTHENTICATED" });
    assert.equal(hub.socketsOpened(), 1);
  });

  it("renews a token that is refused, and goes on where it was", async () => {
    const job = new ScriptedJob();
    let good = "first";
    const refused: (string | undefined)[] = [];
    const session = {
      async accessToken(token?: string) {
        refused.push(token);
        return token === undefined && refused.length < 3 ? "first" : "second";
      },
    };
    await using hub = await startSmallHub({ job, accepts: (shown) => shown === good });
    const steps: JobStep[] = [];
    for await (const step of connectApi({ url: hub.url, session }).watchJob("job_1", { signal })) {
      steps.push(step);
      if (step.cursor !== "1") continue;
      good = "second";
      job.move("RUNNING");
      hub.cutSockets();
      job.move("COMPLETED");
    }
    assert.deepEqual(eventsOf(steps), [2, 3]);
    assert.deepEqual(refused, [undefined, undefined, "first"]);
  });

  it("asks for another token once only where the hub refuses that one too", async () => {
    await using hub = await startSmallHub({ job: new ScriptedJob() });
    let asked = 0;
    const session = { accessToken: async () => `token-${++asked}` };
    const watching = connectApi({ url: hub.url, session }).watchJob("job_1", { signal });
    await assert.rejects(watching.next(), { name: "ApiError", code: "UNAUTHENTICATED" });
    assert.equal(hub.socketsOpened(), 2);
  });

  it("holds a thousand events for a slow reader and fetches the others later: none is lost, none comes twice", async () => {
    const job = new ScriptedJob();
    await using hub = await startSmallHub({ job });
    const steps: JobStep[] = [];
    for await (const step of connectApi({ url: hub.url, token }).watchJob("job_1", { signal })) {
      steps.push(step);
      if (steps.length > 1) continue;
      for (let line = 0; line < 2_500; line++) job.log("phase", { phase: "PULLING" });
      job.move("COMPLETED");
      await until(() => hub.socketsOpen() === 0);
    }
    assert.deepEqual(
      eventsOf(steps),
      Array.from({ length: 2_501 }, (_, index) => index + 2),
    );
    assert.ok(hub.socketsOpened() >= 2, "all of them were held at once");
  });

  it("gives up on a hub that stays away", async () => {
    const watching = connectApi({ url: "http://127.0.0.1:1/graphql" }).watchJob("job_1", { signal, patienceMs: 300 });
    await assert.rejects(watching.next(), { name: "ApiError", code: "UNREACHABLE" });
  });
});
