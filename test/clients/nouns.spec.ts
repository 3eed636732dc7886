// What `xvault` does with keys, people, snapshots and jobs, against a real hub whose access tokens end while it works.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type StagedSite, stageSite } from "../stage/backed-up-site.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { tree } from "../stage/tree.ts";
import { type Home, makeHome, type RunOptions } from "./xvault.ts";

describe("xvault", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: StagedSite;
  let home: Home;
  let snapshotId: string;
  let jobId: string;

  before(async () => {
    site = stack.use(await stageSite(tree({ "etc/hosts": "hello" }), { hubTerms: { accessTokenMinutes: 2 / 60 } }));
    home = stack.use(await makeHome());
    jobId = await startJob(site.acme.ask, "startBackup", site.sourceId);
    snapshotId = (await jobEnd(site.acme.ask, jobId)).snapshot.id;
    const { graphqlUrl, owner } = site.hub;
    const signIn = ["sign-in", "--url", graphqlUrl, "--email", owner.email];
    assert.equal((await home.xvault(signIn, { input: owner.password })).exitCode, 0);
  });

  after(() => stack.disposeAsync());

  /** What it says; it has to end well, and to complain of nothing. */
  async function says(args: readonly string[], options?: RunOptions): Promise<string> {
    const { exitCode, stdout, stderr } = await home.xvault(args, options);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    return stdout;
  }

  async function column(args: readonly string[], name: string): Promise<string[]> {
    const [head = "", ...rows] = (await says(args)).trimEnd().split("\n");
    const from = head.indexOf(name);
    return rows.map((row) => row.slice(from).split("  ", 1)[0] ?? "");
  }

  it("keys lists them, and rotate makes a new one", async () => {
    assert.deepEqual(await column(["keys"], "STATUS"), ["active"]);
    const made = await says(["keys", "rotate"]);
    assert.match(made, /^key_[0-9a-f]{32} {2}age1[a-z0-9]+\n$/);
    assert.deepEqual(await column(["keys", "list"], "STATUS"), ["active", "rotated"]);
    assert.deepEqual(await column(["keys"], "ONLY KEY OF"), ["0", "1"]);
  });

  it("members lists people and what they may do", async () => {
    assert.deepEqual(await column(["members"], "E-MAIL"), [site.hub.owner.email]);
    assert.deepEqual(await column(["members"], "ROLE"), ["owner"]);
  });

  it("api-keys makes one that works by itself, lists it and revokes it", async () => {
    const create = ["api-keys", "create", "CI", "--role", "viewer", "--days", "30", "--source", site.sourceId];
    const made = await home.xvault(create);
    assert.match(made.stderr, /^apk_[0-9a-f]{32} is made\. This is shown once:\n$/);
    assert.match(made.stdout, /^xva_[\w-]+\n$/);
    assert.deepEqual(await column(["api-keys"], "GOOD FOR"), ["1 source"]);

    await using elsewhere = await makeHome();
    const env = { XVAULT_API_KEY: made.stdout.trim(), XVAULT_URL: site.hub.graphqlUrl };
    assert.equal((await elsewhere.xvault(["sources"], { env })).exitCode, 0);
    const refused = await elsewhere.xvault(["backup", "start", site.sourceId], { env });
    assert.deepEqual([refused.exitCode, refused.stderr], [1, "Your role does not allow this.\n"]);
    const signIn = ["sign-in", "--api-key", "--url", site.hub.graphqlUrl];
    const signedIn = await elsewhere.xvault(signIn, { input: made.stdout });
    assert.equal(signedIn.stdout, "Signed in with an API key of Acme.\n");
    assert.equal((await elsewhere.xvault(["sources"])).exitCode, 0);

    const keyId = made.stderr.split(" ", 1)[0] ?? "";
    assert.equal(await says(["api-keys", "revoke", keyId]), `${keyId} is revoked.\n`);
    assert.match((await column(["api-keys"], "ENDS"))[0] ?? "", /^revoked /);
    assert.deepEqual(await elsewhere.xvault(["sources"]), {
      exitCode: 3,
      stdout: "",
      stderr: "The hub does not take this API key, or not any more: use another one.\n",
    });
    const forgotten = "The API key is forgotten here; it works until it is revoked.\n";
    assert.equal((await elsewhere.xvault(["sign-out"])).stdout, forgotten);
  });

  it("snapshots pins one, which then cannot be deleted; unpins, deletes and takes that back", async () => {
    assert.equal(await says(["snapshots", "pin", snapshotId, "--reason", "the move"]), `${snapshotId} is pinned.\n`);
    assert.deepEqual(await column(["snapshots"], "STATUS"), ["completed, pinned"]);
    const refused = await home.xvault(["snapshots", "delete", snapshotId]);
    assert.deepEqual([refused.exitCode, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /pinned/);
    await says(["snapshots", "unpin", snapshotId]);
    assert.match(await says(["snapshots", "delete", snapshotId]), / goes \d{4}-\d\d-\d\d \d\d:\d\dZ; until then /);
    assert.match((await column(["snapshots"], "STATUS"))[0] ?? "", /^completed, goes 20/);
    assert.equal(await says(["snapshots", "undelete", snapshotId]), `${snapshotId} is kept.\n`);
    assert.deepEqual(await column(["snapshots"], "STATUS"), ["completed"]);
  });

  it("jobs lists them, tells the log of one, and says why it can neither stop nor repeat it", async () => {
    assert.deepEqual((await column(["jobs"], "WHAT")).slice(-2), ["backup", "test source"]);
    assert.equal(await says(["jobs", "--open"]), "Nothing is being done.\n");
    const log = await says(["jobs", "log", jobId]);
    assert.match(log, /^\S+ {2}state {2}status=QUEUED\n[\s\S]*status=COMPLETED\n$/);
    assert.equal(await says(["jobs", "log", jobId, "--follow"]), log);
    const stopped = await home.xvault(["jobs", "cancel", jobId]);
    assert.deepEqual([stopped.exitCode, stopped.stderr], [1, "This job has ended already: it is completed.\n"]);
    const repeated = await home.xvault(["jobs", "retry", jobId]);
    assert.deepEqual([repeated.exitCode, repeated.stdout], [1, ""]);
    const unknown = await home.xvault(["jobs", "log", "job_1"]);
    assert.deepEqual([unknown.exitCode, unknown.stderr], [1, "There is no job of yours with the id job_1.\n"]);
  });

  it("jobs cancels what waits, and retries it", async () => {
    await site.worker.end("SIGTERM");
    const waiting = (await says(["backup", "start", site.sourceId])).trim();
    assert.deepEqual(await column(["jobs", "--open"], "STATUS"), [
      "queued (Waits for the worker “staged BACKUP”, which takes no jobs now)",
    ]);
    assert.equal(await says(["jobs", "cancel", waiting]), `${waiting} is canceled.\n`);
    const again = (await says(["jobs", "retry", waiting])).trim();
    assert.notEqual(again, waiting);
    assert.deepEqual(await column(["jobs", "--open"], "ID"), [again]);
  });

  it("sign-out ends the session at the hub, and forgets it", async () => {
    const { owner } = site.hub;
    assert.equal(await says(["sign-out"]), `${owner.email} is signed out.\n`);
    const { db } = site.hub.running.hub;
    const [last] = await db.auditEvent.findMany({ where: { verb: "signOut" } });
    assert.ok(last, "the hub knows nothing of it");
    assert.equal((await home.xvault(["keys"])).exitCode, 3);
    assert.equal(await says(["sign-out"]), "You are not signed in.\n");
  });
});
