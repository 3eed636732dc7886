// F38 and F39 in full: five hundred races of subscribers with the life of their job, and one who does not read through 100,000 events.
import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { formatJobMessage, jobChannel } from "../../clients/hub/progress-channel.ts";
import { until } from "../live/watched.ts";
import { leaseOf, playWorker, testedSource } from "../private/played-worker.ts";
import { stageHub } from "../stage/hub.ts";
import { stageTenant, startJob } from "../stage/tenant.ts";
import { watchOverWebSocket } from "../stage/watch.ts";
import { raceSubscribers } from "./kit/race-subscribers.ts";
import { assertWholeSteps } from "./kit/whole.ts";

const MiB = 1 << 20;
const messages = 100_000;

describe("subscribers, again and again", () => {
  it("miss nothing in 500 races with the life of a job", async (t) => {
    await using hub = await stageHub();
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
    t.diagnostic(`seed ${seed}`);
    await raceSubscribers(hub, { races: 500, atOnce: 5, seed });
  });

  it("who do not read through 100,000 messages cost little, and are told of the end", async (t) => {
    await using hub = await stageHub();
    await using stack = new AsyncDisposableStack();
    const acme = await stageTenant(hub);
    const worker = await playWorker(hub);
    const sourceId = await testedSource(acme, worker);
    const jobId = await startJob(acme.ask, "testSource", sourceId);
    const job = await worker.take("TEST_SOURCE");
    const operator = stack.adopt(new Redis(hub.redis.url), (client) => client.disconnect());

    let text = "";
    const slow = request(hub.graphqlUrl, {
      method: "POST",
      headers: {
        authorization: `Bearer ${acme.token}`,
        accept: "text/event-stream",
        "content-type": "application/json",
      },
    });
    slow.on("error", () => undefined);
    slow.on("response", (response) =>
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      }),
    );
    const query =
      "subscription ($id: ID!) { jobProgressed(jobId: $id) { job { status } progress { filesDone currentPath } } }";
    slow.end(JSON.stringify({ query, variables: { id: jobId } }));
    stack.defer(() => void slow.destroy());
    const quick = watchOverWebSocket(hub.graphqlUrl, acme.token, jobId);
    await until(() => text.includes("RUNNING"));
    await until(async () => ((await operator.pubsub("CHANNELS", jobChannel(jobId))) as string[]).length === 1);
    slow.socket?.pause();

    const before = process.memoryUsage().rss;
    for (let n = 1; n <= messages; n += 1_000) {
      const batch = operator.pipeline();
      for (let filesDone = n; filesDone < n + 1_000; filesDone++)
        batch.publish(
          jobChannel(jobId),
          formatJobMessage({
            v: 1,
            kind: "progress",
            progress: {
              leaseEpoch: job.leaseEpoch,
              ...{ phase: "PULLING", filesDone, filesTotal: messages, bytesDone: 0, bytesTotal: null, storedBytes: 0 },
              currentPath: "p".repeat(500),
            },
          }),
        );
      await batch.exec();
    }
    const growth = process.memoryUsage().rss - before;
    t.diagnostic(`${messages} messages: ${(growth / MiB).toFixed(0)} MiB more`);
    await worker.api.completeJob({ ...leaseOf(job), findings: {} });
    assertWholeSteps(await quick);
    slow.socket?.resume();
    await until(() => text.includes("COMPLETED"), 30_000);
    assert.ok(growth < 150 * MiB, "of the hub, its test and all buffers together");
  });
});
