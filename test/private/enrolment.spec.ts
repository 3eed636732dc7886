// How a process of the data plane joins: with a token that works once and for a day, and with nothing else before that.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { getIntrospectionQuery } from "graphql";
import { withAccount } from "../../clients/hub/account.ts";
import { connectHub } from "../../clients/hub/hub-client.ts";
import { run, stageOperator } from "../public/operators.ts";
import { type Person, send, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";

describe("enrolment", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let operator: Person;
  let directory: string;

  before(async () => {
    hub = stack.use(await stageHub());
    operator = await stageOperator(hub);
    directory = await mkdtemp(join(tmpdir(), "xvault-account-"));
    stack.defer(() => rm(directory, { recursive: true }));
  });
  after(() => stack.disposeAsync());

  const enrolWorker = (name = "Berlin 1", role = "BACKUP") =>
    run(operator.ask, "enrolWorker", { name, role }, "token enrolment { id name role expiresAt }");
  const join_ = (token?: string, init: RequestInit = {}) =>
    send(`${hub.privateUrl}/internal/enrol`, {
      method: "POST",
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...init,
    });

  it("begins with a token for a day, which is kept as a hash alone and has a line in the audit", async () => {
    const begun = Date.now();
    const { token, enrolment } = await enrolWorker();
    assert.match(token, /^xve_[\w-]{43}$/);
    assert.deepEqual([enrolment.name, enrolment.role], ["Berlin 1", "BACKUP"]);
    assert.ok(Math.abs(Date.parse(enrolment.expiresAt) - begun - 86_400_000) < 60_000);
    const { db } = hub.running.hub;
    const kept = JSON.stringify([await db.workerEnrolment.findMany(), await db.auditEvent.findMany()]);
    assert.ok(kept.includes(enrolment.id));
    assert.ok(!kept.includes(token));
    assert.equal(await db.worker.count(), 0);
    assert.equal(await db.auditEvent.count({ where: { verb: "enrolWorker", objectId: enrolment.id } }), 1);
    const stranger = await stagePerson(hub);
    assert.deepEqual(await run(stranger.ask, "enrolWorker", { name: "x", role: "BACKUP" }), { error: "FORBIDDEN" });
    for (const name of ["", "a\nb", "\u001b[2J", "x".repeat(101)])
      assert.equal((await enrolWorker(name)).code, "BAD_INPUT");
  });

  it("ends with a token of the worker's own, under the name and role that the operator gave", async () => {
    const { token } = await enrolWorker("Downloads", "RESTORE");
    const { status, text, headers } = await join_(token);
    assert.equal(status, 200);
    assert.equal(headers.get("cache-control"), "no-store");
    const account = JSON.parse(text);
    const row = await hub.running.hub.db.worker.findUniqueOrThrow({ where: { id: account.workerId } });
    assert.deepEqual([row.name, row.role], ["Downloads", "RESTORE"]);
    assert.ok((await connectHub({ baseUrl: hub.privateUrl, token: account.token }).hello()).serverTime);
    const { db } = hub.running.hub;
    assert.equal(await db.auditEvent.count({ where: { verb: "enrol", objectId: account.workerId } }), 1);
    assert.ok(!hub.lines.join().includes(token) && !hub.lines.join().includes(account.token));
  });

  it("lets one in of many who bring the same token at once", async () => {
    const { token } = await enrolWorker();
    const workers = await hub.running.hub.db.worker.count();
    const answers = await Promise.all(Array.from({ length: 12 }, () => join_(token)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 11 }, () => 401)]);
    assert.equal(await hub.running.hub.db.worker.count(), workers + 1);
  });

  it("refuses a token that is used, expired, unknown or none, in the same words", async () => {
    const { token: used } = await enrolWorker();
    const { token: workerToken } = JSON.parse((await join_(used)).text);
    const { token: expired, enrolment } = await enrolWorker();
    const { db } = hub.running.hub;
    await db.workerEnrolment.update({ where: { id: enrolment.id }, data: { expiresAt: new Date(Date.now() - 1) } });
    const unknown = `xve_${"A".repeat(43)}`;
    const workers = await db.worker.count();
    const answers = new Set<string>();
    for (const token of [used, expired, unknown, `${unknown}x`, "", undefined, workerToken, operator.token]) {
      const { status, text } = await join_(token);
      answers.add(`${status} ${text.trim()}`);
    }
    assert.deepEqual(
      [...answers],
      [`401 {"errors":[{"message":"Sign in first.","extensions":{"code":"UNAUTHENTICATED"}}]}`],
    );
    assert.equal(await db.worker.count(), workers);
  });

  it("is done by POST, and opens nothing else", async () => {
    const { token } = await enrolWorker();
    assert.equal((await join_(token, { method: "GET" })).status, 405);
    await assert.rejects(connectHub({ baseUrl: hub.privateUrl, token }).hello(), { code: "UNAUTHENTICATED" });
    const { status } = await send(hub.graphqlUrl.replace("/graphql", "/internal/enrol"), {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
    });
    assert.notEqual(status, 200);
    assert.equal((await join_(token)).status, 200, "none of that has used it up");
  });

  it("leaves the account in a file that its owner alone can read, for every later start", async () => {
    const file = join(directory, "store", ".xvault-account.json");
    const { token } = await enrolWorker();
    const env = { HUB_BASE_URL: hub.privateUrl, WORKER_ENROLMENT_TOKEN: token, LOG_LEVEL: "info" };
    const first = await withAccount(env, { file });
    assert.match(first.WORKER_TOKEN ?? "", /^xvw_/);
    assert.equal(first.WORKER_ENROLMENT_TOKEN, undefined);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.ok(!(await readFile(file, "utf8")).includes(token));
    assert.deepEqual(await readdir(join(directory, "store")), [".xvault-account.json"]);
    assert.deepEqual(await withAccount(env, { file }), first);
    assert.deepEqual(await withAccount({ HUB_BASE_URL: hub.privateUrl, LOG_LEVEL: "info" }, { file }), first);
    const told = { WORKER_TOKEN: "given", WORKER_ID: "wrk_given" };
    assert.deepEqual(await withAccount(told, { file }), told);
  });

  it("that is refused says so in one sentence without the token, and leaves no file", async () => {
    const file = join(directory, "refused", "account.json");
    const WORKER_ENROLMENT_TOKEN = `xve_${"B".repeat(43)}`;
    await assert.rejects(
      withAccount({ HUB_BASE_URL: hub.privateUrl, WORKER_ENROLMENT_TOKEN }, { file }),
      ({ message }: Error) => /enrol the worker again/.test(message) && !message.includes(WORKER_ENROLMENT_TOKEN),
    );
    assert.deepEqual(await readdir(join(directory, "refused")), []);
  });

  it("waits for a hub that is away, until it is told to stop", async () => {
    const file = join(directory, "waiting", "account.json");
    const env = { HUB_BASE_URL: "http://127.0.0.1:1", WORKER_ENROLMENT_TOKEN: `xve_${"C".repeat(43)}` };
    await assert.rejects(withAccount(env, { file, signal: AbortSignal.timeout(300) }), /abort|timeout/i);
    assert.deepEqual(await readdir(join(directory, "waiting")), []);
  });
});

describe("whoever brings no worker's token", () => {
  it("gets one answer from the private surface, whatever they ask: nothing of it is read", async () => {
    await using hub = await stageHub();
    const person = await stagePerson(hub);
    const endpoint = `${hub.privateUrl}/internal/graphql`;
    const answers = new Set<string>();
    const bodies = [
      JSON.stringify({ query: getIntrospectionQuery() }),
      JSON.stringify({ query: "{ hello(protocol: 1) { protocol } }" }),
      JSON.stringify({ query: "{ nothingOfTheKind }" }),
      JSON.stringify({ query: "{ helo(protocol: 1) { protocol } }" }),
      JSON.stringify({ query: "{{{" }),
      "not even JSON",
      "",
      "x".repeat(17 * 1024 * 1024),
    ];
    for (const token of [undefined, person.token, `xvw_${"A".repeat(43)}`])
      for (const body of bodies) {
        const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
        const sent = await send(endpoint, { method: "POST", headers, body }).catch(() => null);
        // A large body may find the connection closed before it is sent: that is an answer too.
        if (sent) answers.add(`${sent.status} ${sent.text.trim()}`);
        else assert.ok(body.length > 1_000_000);
      }
    assert.deepEqual(
      [...answers],
      [`401 {"errors":[{"message":"Sign in first.","extensions":{"code":"UNAUTHENTICATED"}}]}`],
    );
    assert.equal((await send(`${endpoint}?query={hello(protocol:1){protocol}}`, { method: "GET" })).status, 404);
    assert.equal((await send(endpoint, { method: "GET" })).status, 401);
  });
});
