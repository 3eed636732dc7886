// The places that are backed up: made, changed, tested.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { hostKey, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const facts = `id type name config hostKey status credential { id }`;
const create = `mutation ($input: CreateSourceInput!) {
  createSource(input: $input) {
    ... on CreateSourcePayload { source { ${facts} } } ... on Failure { code message }
    ... on InvalidInputError { faults { path message } } ... on QuotaExceededError { limit }
  }
}`;
const update = `mutation ($input: UpdateSourceInput!) {
  updateSource(input: $input) {
    ... on UpdateSourcePayload { source { ${facts} } } ... on InvalidInputError { faults { path message } }
    ... on NotFoundError { code }
  }
}`;
const accept = `mutation ($id: ID!) {
  acceptHostKey(input: { sourceId: $id }) { ... on AcceptHostKeyPayload { source { hostKey } } ... on Failure { code } }
}`;
const testDraft = `mutation ($input: TestSourceDraftInput!) {
  testSourceDraft(input: $input) {
    ... on TestSourceDraftPayload { job { id source { id } } } ... on Failure { code message }
    ... on InvalidInputError { faults { path } }
  }
}`;
const config = { host: "files.example.com", port: 22, username: "backup", path: "/srv" };

describe("a source", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
  });
  after(() => stack.disposeAsync());

  const make = async (input: object = {}, tenantId = acme.tenantId) =>
    (await acme.ask(create, { input: { tenantId, type: "SFTP", name: "Files", config, ...input } })).data.createSource;
  const change = async (input: object) => (await acme.ask(update, { input })).data.updateSource;
  const audited = async (verb: string, objectId: string) =>
    (await hub.running.hub.db.auditEvent.findMany({ where: { verb, objectId } })).map(({ before, after }) => [
      before,
      after,
    ]);

  it("is made with its settings, active, and with no host key yet", async () => {
    const credentialId = await acme.createCredential({ password: "x" });
    const { source } = await make({ name: "  Files  ", config: { ...config, port: undefined }, credentialId });
    const { id, ...shown } = source;
    const made = {
      type: "SFTP",
      name: "Files",
      config,
      hostKey: null,
      status: "ACTIVE",
      credential: { id: credentialId },
    };
    assert.deepEqual(shown, made);
    const after = { type: "SFTP", name: "Files", config, credentialId };
    assert.deepEqual(await audited("createSource", id), [[null, after]]);
  });

  it("is refused with every fault named, and nothing is left of it", async () => {
    const { db } = hub.running.hub;
    const before = await db.source.count();
    const { code, faults } = await make({ name: "", config: { ...config, host: "root@files", port: 70_000 } });
    assert.equal(code, "BAD_INPUT");
    assert.deepEqual(
      faults.map(({ path }: { path: string }) => path),
      ["name", "config.host", "config.port"],
    );
    assert.equal((await make({ type: "MYSQL" })).code, "BAD_INPUT", "a database has no path");
    assert.equal((await make({ credentialId: "crd_00000000000000000000000000000000" })).code, "NOT_FOUND");
    assert.equal((await make({ name: "\ud83d" })).code, "BAD_INPUT");
    assert.equal(await db.source.count(), before);
  });

  it("is changed where something is given, and stays as it is where nothing is", async () => {
    const { source } = await make();
    const renamed = (await change({ sourceId: source.id, name: "Renamed" })).source;
    assert.deepEqual(renamed, { ...source, name: "Renamed" });
    assert.deepEqual((await change({ sourceId: source.id })).source, renamed);
    const credentialId = await acme.createCredential({ password: "x" });
    const changed = (await change({ sourceId: source.id, config: { ...config, path: "/var" }, credentialId })).source;
    assert.deepEqual(changed, { ...renamed, config: { ...config, path: "/var" }, credential: { id: credentialId } });
    assert.deepEqual((await audited("updateSource", source.id))[0], [
      { name: "Files", config, credentialId: null },
      { name: "Renamed", config, credentialId: null },
    ]);
    assert.equal((await change({ sourceId: source.id, config: { host: "x" } })).faults.length, 2);
  });

  it("shows what its test found, and the host key that was pinned by it", async () => {
    const { source } = await make({ credentialId: await acme.createCredential({ password: "x" }) });
    const jobId = await startJob(acme.ask, "testSource", source.id);
    await worker.api.completeJob({ ...leaseOf(await worker.take("TEST_SOURCE")), findings: { files: 7 }, hostKey });
    assert.deepEqual((await jobEnd(acme.ask, jobId)).findings, { files: 7 });
    const { data } = await acme.ask(`query ($id: ID!) { source(id: $id) { hostKey } }`, { id: source.id });
    assert.deepEqual(data.source, { hostKey });
  });

  it("keeps its host key when it is renamed, and forgets it with another host or port", async () => {
    for (const moved of [{ host: "other.example.com" }, { port: 2222 }]) {
      const sourceId = await testedSource(acme, worker);
      assert.equal(
        (await change({ sourceId, name: "Renamed", config: { ...config, path: "/" } })).source.hostKey,
        hostKey,
      );
      assert.equal((await change({ sourceId, config: { ...config, ...moved } })).source.hostKey, null);
    }
  });

  it("forgets its host key when a new one is accepted, and the old one is written down", async () => {
    const sourceId = await testedSource(acme, worker);
    const { data } = await acme.ask(accept, { id: sourceId });
    assert.deepEqual(data.acceptHostKey, { source: { hostKey: null } });
    assert.deepEqual(await audited("acceptHostKey", sourceId), [[{ hostKey }, null]]);
  });

  it("is tested before it is made, and made with the host keys that were found and accepted", async () => {
    const credentialId = await acme.createCredential({ password: "x" });
    const jump = { host: "bastion.example.com", port: 22, username: "hop" };
    const input = { tenantId: acme.tenantId, type: "SFTP", config: { ...config, jump }, credentialId };
    const { job } = (await acme.ask(testDraft, { input })).data.testSourceDraft;
    assert.equal(job.source, null);
    const claimed = await worker.take("TEST_SOURCE");
    assert.equal(claimed.jobId, job.id);
    assert.deepEqual(claimed.source, {
      ...{ sourceId: null, type: "SFTP", config: { ...config, jump }, hasCredential: true },
      ...{ hostKey: null, jumpHostKey: null },
    });
    const { sealed } = await worker.api.claimSecrets(leaseOf(claimed));
    assert.deepEqual(await worker.unseal(sealed), { password: "x" });
    await worker.api.completeJob({ ...leaseOf(claimed), findings: { hostKey }, hostKey, jumpHostKey: hostKey });
    assert.deepEqual((await jobEnd(acme.ask, job.id)).findings, { hostKey });
    const { source } = await make({ config: { ...config, jump }, credentialId, hostKey, jumpHostKey: hostKey });
    assert.equal(source.hostKey, hostKey);
    assert.ok((await startJob(acme.ask, "startBackup", source.id)).startsWith("job_"), "no other test is asked for");
    await worker.take("BACKUP");
  });

  it("waits for its first test where a host key is missing, that of the jump host included", async () => {
    const jump = { host: "bastion.example.com", port: 22, username: "hop" };
    const { source } = await make({ config: { ...config, jump }, hostKey });
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startBackup(input: { sourceId: $id }) { __typename ... on Failure { code } } }`,
      { id: source.id },
    );
    assert.equal(data.startBackup.code, "SOURCE_NOT_TESTED");
    const moved = { ...config, jump: { ...jump, port: 2022 } };
    const both = (await make({ config: { ...config, jump }, hostKey, jumpHostKey: hostKey })).source;
    assert.equal((await change({ sourceId: both.id, config: moved })).source.hostKey, hostKey);
    const row = await hub.running.hub.db.source.findUniqueOrThrow({ where: { id: both.id } });
    assert.deepEqual([row.hostKey, row.jumpHostKey], [hostKey, null], "only the jump host moved");
  });

  it("is not tested as a draft that could not be saved, nor with somebody else's credential", async () => {
    const globex = await stageTenant(hub, "Globex");
    const theirs = await globex.createCredential({ password: "x" });
    const draft = async (other: object) =>
      (await acme.ask(testDraft, { input: { tenantId: acme.tenantId, type: "SFTP", config, ...other } })).data
        .testSourceDraft;
    assert.deepEqual((await draft({ config: { ...config, port: 0 } })).faults, [{ path: "config.port" }]);
    assert.equal((await draft({ config: { ...config, host: "169.254.169.254" } })).code, "HOST_NOT_ALLOWED");
    assert.equal((await draft({ credentialId: theirs })).code, "NOT_FOUND");
    assert.equal(
      (await draft({ tenantId: globex.tenantId, credentialId: theirs })).code,
      undefined,
      "one owner has both",
    );
  });

  it("is refused at a host that is not public, when it is made and when it is changed", async () => {
    for (const host of ["10.0.0.1", "192.168.7.7", "[::1]", "169.254.169.254"])
      assert.equal((await make({ config: { ...config, host } })).code, "HOST_NOT_ALLOWED", host);
    const { source } = await make();
    const { data } = await acme.ask(
      `mutation ($input: UpdateSourceInput!) { updateSource(input: $input) { ... on Failure { code message } } }`,
      { input: { sourceId: source.id, config: { ...config, host: "192.168.0.1" } } },
    );
    assert.equal(data.updateSource.code, "HOST_NOT_ALLOWED");
    assert.match(data.updateSource.message, /not a public address/);
  });

  it("is tested ten times a minute and no more, so that nobody scans ports with us", async () => {
    await using strict = await stageHub({ sourceTestsPerMinute: 2 });
    const tenant = await stageTenant(strict);
    const input = { tenantId: tenant.tenantId, type: "SFTP", config };
    const codes: (string | undefined)[] = [];
    for (let n = 0; n < 3; n++) codes.push((await tenant.ask(testDraft, { input })).data.testSourceDraft.code);
    assert.deepEqual(codes, [undefined, undefined, "RATE_LIMITED"]);
  });

  it("is one of as many as the plan allows, and belongs to no tenant that is suspended", async () => {
    const small = await stageTenant(hub, "Small");
    const { db } = hub.running.hub;
    await db.tenant.update({ where: { id: small.tenantId }, data: { maxSources: 1 } });
    assert.ok((await make({}, small.tenantId)).source);
    assert.deepEqual(await make({}, small.tenantId), {
      code: "QUOTA_EXCEEDED",
      message: "Your plan allows 1 sources.",
      limit: 1,
    });
    await db.tenant.update({ where: { id: small.tenantId }, data: { maxSources: null, status: "SUSPENDED" } });
    assert.equal((await make({}, small.tenantId)).code, "TENANT_SUSPENDED");
  });

  it("is found in its tenant's list, newest first, page by page", async () => {
    const tenant = await stageTenant(hub, "Many");
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift((await make({ name: `Source ${n}` }, tenant.tenantId)).source.id);
    const page = `query ($id: ID!, $first: Int, $after: String) {
      tenant(id: $id) {
        sources(first: $first, after: $after) {
          totalCount nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
      }
    }`;
    const found: string[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const { data } = await acme.ask(page, { id: tenant.tenantId, first: 2, after });
      const { totalCount, nodes, edges, pageInfo } = data.tenant.sources;
      assert.equal(totalCount, 5);
      assert.deepEqual(
        edges.map(({ node }: { node: object }) => node),
        nodes,
      );
      assert.deepEqual([pageInfo.startCursor, pageInfo.endCursor], [edges[0].cursor, edges.at(-1).cursor]);
      assert.equal(pageInfo.hasPreviousPage, after !== null);
      found.push(...nodes.map(({ id }: { id: string }) => id));
      after = pageInfo.endCursor;
      more = pageInfo.hasNextPage;
    }
    assert.deepEqual(found, ids);
  });
});
