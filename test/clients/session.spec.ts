import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connectApi } from "../../clients/api/connect.ts";
import { holdFile } from "../../clients/api/hold-file.ts";
import { cancelJob } from "../../clients/api/jobs.ts";
import { beginSession, keepSession, resumeSession, type Session } from "../../clients/api/session.ts";
import { sessionFile } from "../../clients/api/session-file.ts";
import { keepInMemory } from "../../clients/api/session-store.ts";
import { changePassword, getViewer, signOutEverywhere } from "../../clients/api/sessions.ts";
import { testSourceDraft } from "../../clients/api/sources.ts";
import { createTenant } from "../../clients/api/tenants.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { makeHome } from "./xvault.ts";

/** Access tokens of two seconds: the program takes each for over at once, the hub after a few seconds more. */
const accessTokenMinutes = 2 / 60;

let hub: StagedHub;
let directory: string;
let files = 0;

before(async () => {
  hub = await stageHub({ accessTokenMinutes });
  directory = await mkdtemp(join(tmpdir(), "xvault-session-"));
});

after(async () => {
  await hub?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

function newFile(): string {
  return join(directory, `session-${++files}.json`);
}

function begin(path?: string): Promise<Session> {
  return beginSession({ url: hub.graphqlUrl, ...hub.owner }, path === undefined ? {} : { store: sessionFile(path) });
}

async function refreshesOf(session: Session): Promise<number> {
  const { db } = hub.running.hub;
  const user = await db.user.findUniqueOrThrow({ where: { email: session.email } });
  return db.auditEvent.count({ where: { actorId: user.id, verb: "refreshSession" } });
}

describe("a session", () => {
  it("outlives its access tokens, in queries as in what is watched", async () => {
    const session = await begin();
    const api = connectApi({ url: hub.graphqlUrl, session });
    const first = await session.accessToken();
    const { tenant } = await api.mutate(createTenant, { name: "Acme" });
    const stop = new AbortController();
    const told: (string | null)[] = [];
    const watchingAll = (async () => {
      for await (const change of api.watchJobs({ tenantId: tenant.id }, { signal: stop.signal }))
        told.push(change.job?.status ?? null);
    })();
    const config = { host: "127.0.0.1", username: "ada", path: "/" };
    const { job } = await api.mutate(testSourceDraft, { tenantId: tenant.id, type: "SFTP", config });
    const statuses: string[] = [];
    const watching = (async () => {
      for await (const step of api.watchJob(job.id)) statuses.push(step.job.status);
    })();
    await pause(8_000);
    assert.equal((await api.query(getViewer, {})).viewer?.email, hub.owner.email);
    assert.notEqual(await session.accessToken(), first);
    await api.mutate(cancelJob, { jobId: job.id });
    await watching;
    assert.deepEqual(statuses, ["QUEUED", "CANCELED"]);
    while (told.at(-1) !== "CANCELED") await pause(20, undefined, { signal: AbortSignal.timeout(10_000) });
    assert.equal(told.filter((status) => status === null).length, 1);
    stop.abort(new Error("enough"));
    await assert.rejects(watchingAll, /enough/);
  });

  it("renews once for all who ask at the same moment", async () => {
    const session = await begin();
    const before = await refreshesOf(session);
    const tokens = await Promise.all(Array.from({ length: 20 }, () => session.accessToken()));
    assert.equal(new Set(tokens).size, 1);
    assert.equal((await refreshesOf(session)) - before, 1);
  });

  it("renews where the hub refuses a token that should be good", async () => {
    const store = keepInMemory();
    await beginSession({ url: hub.graphqlUrl, ...hub.owner }, { store });
    const kept = await store.load();
    assert.ok(kept);
    // As on a machine whose clock is behind, and with a token that was signed by nobody.
    await store.save({ ...kept, accessToken: `${kept.accessToken}x`, expiresAt: "2999-01-01T00:00:00.000Z" });
    const session = await resumeSession({ store });
    assert.ok(session);
    const { viewer } = await connectApi({ url: hub.graphqlUrl, session }).query(getViewer, {});
    assert.equal(viewer?.email, hub.owner.email);
  });

  it("throws UNAUTHENTICATED once it has ended, and keeps nothing of it", async () => {
    const path = newFile();
    const session = await begin(path);
    await connectApi({ url: hub.graphqlUrl, session }).mutate(signOutEverywhere, {});
    const again = await resumeSession({ store: sessionFile(path) });
    assert.ok(again);
    const asked = connectApi({ url: hub.graphqlUrl, session: again }).query(getViewer, {});
    await assert.rejects(asked, { name: "ApiError", code: "UNAUTHENTICATED" });
    await assert.rejects(stat(path), { code: "ENOENT" });
  });

  it("ends at the hub when it is signed out, for everybody who shares it", async () => {
    const path = newFile();
    const session = await begin(path);
    const other = await resumeSession({ store: sessionFile(path) });
    await session.signOut();
    await assert.rejects(stat(path), { code: "ENOENT" });
    await assert.rejects(async () => other?.accessToken(), { code: "UNAUTHENTICATED" });
  });

  it("goes on with what a change of password answers", async () => {
    const path = newFile();
    const session = await begin(path);
    const api = connectApi({ url: hub.graphqlUrl, session });
    const { password } = hub.owner;
    const tokens = await api.mutate(changePassword, { currentPassword: password, newPassword: password });
    const next = await keepSession(hub.graphqlUrl, tokens, { store: sessionFile(path) });
    const { viewer } = await connectApi({ url: hub.graphqlUrl, session: next }).query(getViewer, {});
    assert.equal(viewer?.email, hub.owner.email);
  });

  it("is not mixed up with that of somebody who has signed in meanwhile", async () => {
    const store = keepInMemory();
    const session = await beginSession({ url: hub.graphqlUrl, ...hub.owner }, { store });
    const kept = await store.load();
    assert.ok(kept);
    await store.save({ ...kept, email: "somebody@example.com" });
    await assert.rejects(session.accessToken(), { code: "UNAUTHENTICATED" });
    assert.equal((await store.load())?.email, "somebody@example.com");
  });
});

const askOften = `
  import { connectApi } from ${JSON.stringify(new URL("../../clients/api/connect.ts", import.meta.url).href)};
  import { resumeSession } from ${JSON.stringify(new URL("../../clients/api/session.ts", import.meta.url).href)};
  import { sessionFile } from ${JSON.stringify(new URL("../../clients/api/session-file.ts", import.meta.url).href)};
  import { getViewer } from ${JSON.stringify(new URL("../../clients/api/sessions.ts", import.meta.url).href)};
  const session = await resumeSession({ store: sessionFile(process.argv[1]) });
  const api = connectApi({ url: session.url, session });
  for (let times = 0; times < 5; times++) console.log((await api.query(getViewer, {})).viewer.email);
`;

describe("a session in a file", () => {
  it("is shared by programs that renew it at the same moment: all of them go on working", async () => {
    const path = newFile();
    const before = await refreshesOf(await begin(path));
    const programs = Array.from({ length: 6 }, async () => {
      const child = spawn(process.execPath, ["--input-type=module", "--eval", askOften, path], {
        signal: AbortSignal.timeout(60_000),
      });
      const [[exitCode], said, failed] = await Promise.all([
        once(child, "close"),
        text(child.stdout),
        text(child.stderr),
      ]);
      assert.equal(exitCode, 0, failed);
      return said.split("\n").filter((line) => line === hub.owner.email).length;
    });
    assert.deepEqual(await Promise.all(programs), [5, 5, 5, 5, 5, 5]);
    const session = await resumeSession({ store: sessionFile(path) });
    assert.ok(session);
    await session.accessToken();
    assert.ok((await refreshesOf(session)) - before >= 6, "they did not renew at all");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(
      (await readdir(directory)).filter((name) => !/^session-\d+\.json$/.test(name)),
      [],
    );
  });

  it("is renewed by commands that run side by side", async () => {
    await using home = await makeHome();
    const { graphqlUrl, owner } = hub;
    const signIn = ["sign-in", "--url", graphqlUrl, "--email", owner.email];
    assert.equal((await home.xvault(signIn, { input: owner.password })).exitCode, 0);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => home.xvault(["sources"])));
    for (const outcome of outcomes)
      assert.deepEqual(outcome, { exitCode: 0, stdout: "There are no sources yet.\n", stderr: "" });
    assert.equal((await home.xvault(["sources"])).exitCode, 0);
  });

  it("is held by one at a time, whoever comes at the same moment", async () => {
    const path = newFile();
    let holders = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        await using _held = await holdFile(path);
        most = Math.max(most, ++holders);
        await pause(5);
        holders--;
      }),
    );
    assert.equal(most, 1);
  });

  it("is not kept from the living by a program that died while it renewed", async () => {
    const path = newFile();
    const mark = `${path}.dead.held`;
    await writeFile(mark, "");
    const longAgo = new Date(Date.now() - 21_000);
    await utimes(mark, longAgo, longAgo);
    const session = await begin(path);
    assert.ok(await session.accessToken());
    await assert.rejects(stat(mark), { code: "ENOENT" });
  });

  it("says which file cannot be written, before a token is spent for nothing", async () => {
    const path = newFile();
    await begin(path);
    const kept = JSON.parse(await readFile(path, "utf8"));
    const store = { ...sessionFile(path), exclusively: sessionFile(join(path, "no-directory.json")).exclusively };
    const session = await resumeSession({ store });
    await assert.rejects(async () => session?.accessToken(), { name: "PrivateFileError" });
    assert.deepEqual(JSON.parse(await readFile(path, "utf8")), kept);
  });
});
