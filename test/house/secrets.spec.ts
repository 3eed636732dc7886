// Planted secrets are looked for wherever a thief, a neighbour or an operator might look: during and after a whole run they are nowhere.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { tenantIdentity } from "../stage/artifact-commands.ts";
import { stageRestore, stageWorker } from "../stage/data-plane.ts";
import { stageHub } from "../stage/hub.ts";
import { missingOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { missingPostgres15, stagePostgres15 } from "../stage/peers/postgres-15.ts";
import { watchProcesses } from "../stage/processes.ts";
import { jobEnd, stageTenant, startJob } from "../stage/tenant.ts";
import { tree, writeTree } from "../stage/tree.ts";
import { kinds, type StagedKind } from "../worker/sources/staged-kinds.ts";
import { assertAbsent } from "./absent.ts";

describe("secrets", { skip: missingOpenSsh ?? missingPostgres15 ?? false }, () => {
  it("are in no database dump, no Redis traffic, no log, no process list and no store, through a backup and a restore", async () => {
    await using postgres = await stagePostgres15();
    const kek = randomBytes(32);
    const jwtSecret = randomBytes(32).toString("base64url");
    await using hub = await stageHub({ databaseUrl: postgres.url, kek, jwtSecret });
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ "index.html": "hello" }), { owner: sshd.owner });
    await using watching = new AsyncDisposableStack();
    const redisTraffic: string[] = [];
    const spy = new Redis(hub.redis.url);
    watching.defer(() => spy.disconnect());
    const monitor = await spy.monitor();
    watching.defer(() => monitor.disconnect());
    monitor.on("monitor", (_time: string, args: string[]) => redisTraffic.push(args.join(" ")));
    const processes = await watchProcesses();

    await using worker = await stageWorker(hub);
    await using restore = await stageRestore(hub, { storageBase: worker.storageBase });
    const acme = await stageTenant(hub);
    const { host, port, username, data: path } = sshd;
    const canary = randomBytes(24).toString("base64url");
    for (const secret of [{ password: sshd.password }, sshd.lockedKey]) {
      const sourceId = await acme.createSftpSource({ host, port, username, path }, await acme.createCredential(secret));
      assert.equal((await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId))).status, "COMPLETED");
    }
    const wrong = await acme.createSftpSource(
      { host, port, username, path },
      await acme.createCredential({ password: canary }),
    );
    assert.equal(
      (await jobEnd(acme.ask, await startJob(acme.ask, "testSource", wrong))).errorCode,
      "SOURCE_AUTH_FAILED",
    );
    const right = await acme.createSftpSource(
      { host, port, username, path },
      await acme.createCredential({ password: sshd.password }),
    );
    await jobEnd(acme.ask, await startJob(acme.ask, "testSource", right));
    const backup = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", right));
    assert.equal(backup.status, "COMPLETED", backup.errorMessage);
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) {
        ... on StartRestorePayload { downloadUrl restore { job { id } } }
      } }`,
      { id: backup.snapshot.id },
    );
    await jobEnd(acme.ask, data.startRestore.restore.job.id);
    assert.equal((await fetch(data.startRestore.downloadUrl)).status, 200);

    const secrets = {
      "source's password": sshd.password,
      "wrong password": canary,
      "private key": sshd.lockedKey.privateKey.split("\n")[2] ?? "",
      passphrase: sshd.lockedKey.passphrase,
      "tenant's key": await tenantIdentity(hub, acme.tenantId),
      "worker's token": worker.identity.token,
      "restore service's token": restore.identity.token,
      "download token": data.startRestore.downloadUrl.split("/").at(-1),
      "owner's password": hub.owner.password,
      "access token": acme.token,
      KEK: kek.toString("base64"),
      "JWT secret": jwtSecret,
    };
    const dump = await postgres.dump();
    assert.match(dump, /INSERT INTO public\.credentials/, "the dump holds the rows");
    assertAbsent(secrets, "the database's dump", dump);
    assert.ok(redisTraffic.length > 20, "Redis was watched");
    assertAbsent(secrets, "the traffic of Redis", redisTraffic.join("\n"));
    assertAbsent(secrets, "the hub's log", hub.lines.join("\n"));
    assertAbsent(secrets, "the worker's output", worker.lines.join("\n"));
    assertAbsent(secrets, "the restore service's output", restore.lines.join("\n"));
    const seen = await processes.stop();
    assert.match(seen, /worker\/main\.ts/, "the processes were watched");
    assertAbsent(secrets, "the processes' arguments and environments", seen);
    for (const file of await readdir(worker.storageBase, { recursive: true, withFileTypes: true }))
      if (file.isFile()) {
        const content = await readFile(join(file.parentPath, file.name), "latin1");
        assertAbsent(secrets, file.name, content);
        assert.ok(!content.includes("index.html"), `a file name is readable in ${file.name}`);
      }
  });

  it("of every type of source are nowhere either, through tests and backups, good and failing", async () => {
    await using stack = new AsyncDisposableStack();
    const staged: [name: string, kind: StagedKind][] = [];
    for (const [name, { missing, stage }] of Object.entries(kinds))
      if (missing === null) staged.push([name, await stage(stack)]);
    const postgres = stack.use(await stagePostgres15());
    const hub = stack.use(await stageHub({ databaseUrl: postgres.url }));
    const redisTraffic: string[] = [];
    const spy = new Redis(hub.redis.url);
    stack.defer(() => spy.disconnect());
    const monitor = await spy.monitor();
    stack.defer(() => monitor.disconnect());
    monitor.on("monitor", (_time: string, args: string[]) => redisTraffic.push(args.join(" ")));
    const processes = await watchProcesses();
    const worker = stack.use(await stageWorker(hub));
    const acme = await stageTenant(hub);

    const secrets: Record<string, string> = {};
    const answers: string[] = [];
    const end = async (verb: "testSource" | "startBackup", sourceId: string) => {
      const job = await jobEnd(acme.ask, await startJob(acme.ask, verb, sourceId));
      answers.push(JSON.stringify(job));
      return job;
    };
    for (const [name, kind] of staged) {
      const sourceId = await acme.createSource(kind.type, kind.config(), await acme.createCredential(kind.secrets));
      const tested = await end("testSource", sourceId);
      assert.equal(tested.status, "COMPLETED", `${name}: ${tested.errorMessage}`);
      const backup = await end("startBackup", sourceId);
      assert.equal(backup.status, "COMPLETED", `${name}: ${backup.errorMessage}`);
      assert.equal(backup.snapshot.partial, false, name);
      const wrong = randomBytes(24).toString("base64url");
      const refused = kind.secrets.ssh ? { ...kind.secrets, ssh: { password: wrong } } : { password: wrong };
      const failing = await acme.createSource(kind.type, kind.config(), await acme.createCredential(refused));
      assert.equal((await end("testSource", failing)).errorCode, "SOURCE_AUTH_FAILED", name);
      secrets[`${name}: wrong password`] = wrong;
      for (const secret of [kind.secrets.password, kind.secrets.ssh?.password, ...(kind.hidden ?? [])])
        if (secret) secrets[`${name}: ${secret.slice(0, 3)}…`] = secret;
    }
    const dump = await postgres.dump();
    assertAbsent(secrets, "the database's dump", dump);
    assertAbsent(secrets, "the traffic of Redis", redisTraffic.join("\n"));
    assertAbsent(secrets, "the hub's log", hub.lines.join("\n"));
    assertAbsent(secrets, "the worker's output", worker.lines.join("\n"));
    assertAbsent(secrets, "the answers of the API", answers.join("\n"));
    const seen = await processes.stop();
    for (const program of ["worker/main.ts", "pg_dump", "mariadb-dump", "tar"])
      assert.ok(seen.includes(program), `${program} was watched`);
    assertAbsent(secrets, "the processes' arguments and environments", seen);
    for (const base of [worker.storageBase, worker.tempBase])
      for (const file of await readdir(base, { recursive: true, withFileTypes: true }))
        if (file.isFile()) assertAbsent(secrets, file.name, await readFile(join(file.parentPath, file.name), "latin1"));
  });
});
