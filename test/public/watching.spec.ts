// Who may watch a job: those with a part in its tenant, for as long as they have it, over SSE and over WebSocket.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { publicSchema } from "../../schema/public/schema.ts";
import { playWorker } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { type Ids, stageEverything, unknown } from "./everything-of.ts";
import { type Person, stagePerson } from "./people.ts";

const query = `subscription ($id: ID!, $after: String) {
  jobProgressed(jobId: $id, after: $after) { cursor job { id status } event { seq } }
}`;

describe("watching a job", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let owner: Person;
  let neighbour: Person;
  let ids: Ids;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600 }));
    acme = await stageTenant(hub, "Acme");
    const next = await stageTenant(hub, "Next door");
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "VIEWER" });
    neighbour = await stagePerson(hub, { tenantId: next.tenantId, role: "OWNER" });
    ids = await stageEverything(hub, { tenant: acme, owner, worker: await playWorker(hub) });
  });
  after(() => stack.disposeAsync());

  const ways: Record<string, (token: string | undefined, id: string, after?: string) => Promise<string[]>> = {
    SSE: async (token, id, cursor) => {
      const text = await (await stream(token, id, cursor)).text();
      return text.split("\n").flatMap((line) => (line.startsWith("data: {") ? [line.slice(6)] : []));
    },
    WebSocket: (token, id, cursor) => overSocket(token, id, cursor),
  };

  function stream(token: string | undefined, id: string, cursor?: string): Promise<Response> {
    const headers = { accept: "text/event-stream", "content-type": "application/json" };
    return fetch(hub.graphqlUrl, {
      method: "POST",
      headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables: { id, after: cursor } }),
      signal: AbortSignal.timeout(20_000),
    });
  }

  async function overSocket(token: string | undefined, id: string, cursor?: string): Promise<string[]> {
    const seen: string[] = [];
    const client = createClient({
      url: hub.graphqlUrl.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      connectionParams: token ? { authorization: `Bearer ${token}` } : {},
      retryAttempts: 0,
    });
    await new Promise<void>((resolve) => {
      client.subscribe(
        { query, variables: { id, after: cursor } },
        {
          next: (value) => seen.push(JSON.stringify(value)),
          error: (error) => {
            // A socket that was closed, or the errors of the operation.
            seen.push(
              JSON.stringify(Array.isArray(error) ? { errors: error } : { closed: (error as CloseEvent).code }),
            );
            resolve();
          },
          complete: resolve,
        },
      );
    });
    await client.dispose();
    return seen;
  }

  it("is all that can be subscribed to", () => {
    assert.deepEqual(Object.keys(publicSchema.getSubscriptionType()?.getFields() ?? {}).sort(), [
      "jobProgressed",
      "jobsChanged",
      "snapshotsChanged",
      "workersChanged",
    ]);
  });

  for (const [way, watch] of Object.entries(ways)) {
    it(`shows it to those with a part in its tenant, over ${way}`, async () => {
      const [step, ...more] = (await watch(owner.token, ids.job)).map((each) => JSON.parse(each));
      assert.deepEqual(step, {
        data: { jobProgressed: { cursor: "3", job: { id: ids.job, status: "COMPLETED" }, event: null } },
      });
      assert.deepEqual(more, []);
      assert.equal((await watch(owner.token, ids.job, "0")).length, 3);
    });

    it(`cannot tell a neighbour's job from one that does not exist, over ${way}`, async () => {
      const answers = new Set<string>();
      for (const id of [ids.job, unknown(ids.job), ids.source, "", "\0", "x".repeat(10_000)])
        answers.add((await watch(neighbour.token, id)).join());
      assert.equal(answers.size, 1, [...answers].join("\n"));
      const [{ message, extensions }] = JSON.parse([...answers].join()).errors;
      assert.deepEqual([message, extensions], ["There is nothing of yours with this id.", { code: "NOT_FOUND" }]);
    });

    it(`is refused to nobody in particular, over ${way}`, async () => {
      for (const token of [undefined, `${owner.token}x`]) {
        const [refusal = ""] = await watch(token, ids.job);
        assert.match(refusal, way === "SSE" ? /"code":"UNAUTHENTICATED"/ : /"closed":4403/);
      }
    });

    it(`refuses a cursor that is none, over ${way}`, async () => {
      const [refusal = ""] = await watch(owner.token, ids.job, "1; DROP TABLE jobs");
      assert.match(refusal, /"This is no cursor of a job\."|after: This is no cursor of a job\./);
    });
  }

  it("ends for those who have lost their part, before anything more is told", async () => {
    const leaving = await stagePerson(hub, { tenantId: acme.tenantId, role: "VIEWER" });
    const id = await startJob(acme.ask, "testSource", ids.source);
    const [staying, left] = [await stream(owner.token, id), await stream(leaving.token, id)];
    const texts = [staying.text(), left.text()];
    await pause(100);
    await hub.running.hub.db.membership.deleteMany({ where: { userId: leaving.userId } });
    // An answer to “may they still?” is good for two seconds.
    await pause(2_100);
    await acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on Failure { code } } }`, { id });
    const [all = "", some = ""] = await Promise.all(texts);
    assert.match(all, /"CANCELED"/);
    assert.match(some, /"QUEUED"/);
    assert.doesNotMatch(some, /"CANCELED"/);
  });
});
