// Anything by its id: what is not there, not yours, or no id at all is one answer.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { playWorker } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";
import { type Ids, stageEverything } from "./everything-of.ts";
import { type Person, stagePerson } from "./people.ts";

describe("an id", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let owner: Person;
  let ids: Ids;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    const tenant = await stageTenant(hub);
    owner = await stagePerson(hub, { tenantId: tenant.tenantId, role: "OWNER" });
    ids = await stageEverything(hub, { tenant, owner, worker: await playWorker(hub) });
  });
  after(() => stack.disposeAsync());

  const nodes = (of: readonly string[]) =>
    owner.ask(`query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`, { ids: of });

  it("of several nouns at once is answered in the order of the question, as often as it is asked", async () => {
    const { source, job, snapshot, schedule, credential, restore, tenant } = ids;
    const asked = [source, job, source, snapshot, schedule, credential, restore, tenant];
    const { data } = await nodes(asked);
    assert.deepEqual(
      data.nodes.map(({ id }: { id: string }) => id),
      asked,
    );
    const types = ["Source", "Job", "Source", "Snapshot", "Schedule", "Credential", "Restore", "Tenant"];
    assert.deepEqual(
      data.nodes.map(({ __typename }: { __typename: string }) => __typename),
      types,
    );
  });

  it("with the prefix of another noun, or none of ours, is nothing's", async () => {
    const swapped = Object.values(ids).flatMap((id) =>
      ["ten", "src", "job", "snp", "sch", "crd", "rst", "key", "wrk", "usr", "xyz"]
        .map((prefix) => `${prefix}${id.slice(3)}`)
        .filter((forged) => !Object.values(ids).includes(forged)),
    );
    const odd = ["", "src_", "Source:1", Buffer.from("Source:1").toString("base64"), "../..", "%2e%2e", "\0", "\ud83d"];
    for (const some of [swapped.slice(0, 100), swapped.slice(100, 200), odd, ["x".repeat(10_000)]])
      assert.deepEqual(
        (await nodes(some)).data.nodes,
        some.map(() => null),
      );
  });

  it("is one of at most 100 at once", async () => {
    assert.equal((await nodes(Array(100).fill(ids.source))).data.nodes.length, 100);
    const { errors, data } = await nodes(Array(101).fill(ids.source));
    assert.equal(data, null);
    assert.match(errors?.[0]?.message ?? "", /100/);
  });
});
