import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Behaviour, serveFile } from "./file-host.ts";
import { jobFacts, ScriptedJob } from "./scripted-job.ts";
import { type SmallHub, startSmallHub } from "./small-hub.ts";
import { type Home, makeHome, type Outcome, type RunOptions } from "./xvault.ts";

const createdAt = "2026-03-01T12:00:00.000Z";
const job = { ...jobFacts("QUEUED"), source: { id: "src_1", name: "web-1" } };
const snapshot = {
  id: "snp_1",
  status: "COMPLETED",
  createdAt,
  plainBytes: "82900000",
  storedBytes: "31000000",
  fileCount: 1,
  durationMs: 12_340,
  partial: true,
  pinned: false,
  storage: "LOCAL_FS",
  artifactSha256: "00",
  keyFingerprint: "sha256:00",
  sealedTo: ["sha256:00"],
  restorableByPlatform: true,
  keepReasons: [],
  job,
  warnings: [{ code: "UNREADABLE", path: "etc/shadow", message: "The server did not permit it." }],
};

/** Lives through what `live` makes of it once somebody watches. */
async function runBackup(
  live: (job: ScriptedJob, hub: SmallHub) => void,
  args: readonly string[],
  options?: RunOptions,
): Promise<Outcome> {
  const scripted = new ScriptedJob();
  await using hub = await startSmallHub({
    job: scripted,
    Query: {
      job: () => ({ ...job, snapshot: { id: "snp_1" } }),
      snapshot: () => snapshot,
    },
    Mutation: { startBackup: () => ({ __typename: "StartBackupPayload", job }) },
  });
  await using home = await makeHome();
  await home.keepSession(hub.url);
  void scripted.watched.then(() => live(scripted, hub));
  return await home.xvault(["backup", "start", "src_1", ...args], options);
}

describe("xvault backup start", () => {
  it("says the job's id and ends, where nobody wants to watch", async () => {
    assert.deepEqual(await runBackup(() => {}, []), { exitCode: 0, stdout: "job_1\n", stderr: "" });
  });

  it("watches the job to its end, a line for every stage, and says what was made", async () => {
    const { exitCode, stdout, stderr } = await runBackup(
      (scripted) => {
        scripted.move("RUNNING");
        scripted.log("phase", { phase: "CONNECTING" });
        scripted.log("phase", { phase: "PULLING" });
        scripted.move("FINALIZING");
        scripted.move("COMPLETED");
      },
      ["--watch"],
    );
    assert.equal(exitCode, 0);
    assert.equal(stdout, "snp_1  1 file, 82.9 MB, 31.0 MB stored, 12 s\n");
    const lines = stderr.split("\n");
    assert.equal(lines[0], "Backup of web-1: waiting for a worker");
    assert.deepEqual(lines.slice(-3), [
      "Backup of web-1: completed",
      "Warning: etc/shadow: The server did not permit it.",
      "",
    ]);
  });

  it("ends with 1 and the reason where the backup fails", async () => {
    const message = "The password was refused.";
    const { exitCode, stdout, stderr } = await runBackup(
      (scripted) => scripted.move("FAILED", { errorCode: "SOURCE_AUTH_FAILED", errorMessage: message }),
      ["--watch"],
    );
    assert.deepEqual([exitCode, stdout], [1, ""]);
    assert.ok(stderr.endsWith("Backup of web-1 failed: The password was refused. (SOURCE_AUTH_FAILED)\n"), stderr);
  });

  it("ends with 130 where it is interrupted, and says that the backup goes on", async () => {
    const live = (scripted: ScriptedJob) => scripted.move("RUNNING");
    const { exitCode, stdout, stderr } = await runBackup(live, ["--watch"], { interruptAfter: "running" });
    assert.deepEqual([exitCode, stdout], [130, ""]);
    assert.ok(stderr.endsWith("No longer watched; job_1 goes on by itself.\n"), stderr);
  });

  it("ends as soon as it is interrupted, also where the hub has fallen silent", async () => {
    const live = (scripted: ScriptedJob, hub: SmallHub) => {
      hub.deafenSockets();
      scripted.move("RUNNING");
    };
    const begunMs = performance.now();
    const { exitCode } = await runBackup(live, ["--watch"], { interruptAfter: "running" });
    assert.equal(exitCode, 130);
    // Left to itself, the socket would hold the process for more than 20 seconds.
    assert.ok(performance.now() - begunMs < 15_000);
  });

  it("ends with 1 and the hub's sentence where the hub refuses", async () => {
    const message = "Test this source once first, so that its host key is known.";
    await using hub = await startSmallHub({
      Mutation: { startBackup: () => ({ __typename: "SourceNotTestedError", code: "SOURCE_NOT_TESTED", message }) },
    });
    await using home = await makeHome();
    await home.keepSession(hub.url);
    const outcome = await home.xvault(["backup", "start", "src_1"]);
    assert.deepEqual(outcome, { exitCode: 1, stdout: "", stderr: `${message}\n` });
  });
});

const content = randomBytes(2_000_000);

interface RestoreCase {
  readonly args: readonly string[];
  readonly behaviours?: readonly Behaviour[];
  readonly sizeBytes?: string;
  readonly prepare?: (home: Home) => Promise<void>;
  readonly check: (outcome: Outcome, home: Home, input: Record<string, unknown> | undefined) => Promise<void>;
}

async function runRestore({ args, behaviours, sizeBytes, prepare, check }: RestoreCase): Promise<void> {
  const scripted = new ScriptedJob();
  scripted.move("COMPLETED");
  await using host = await serveFile(content, behaviours);
  const restore = { id: "rst_1", status: "READY", form: "TAR", selection: [], timesFetched: 0, createdAt, job };
  let input: Record<string, unknown> | undefined;
  await using hub = await startSmallHub({
    job: scripted,
    Query: { restore: () => ({ ...restore, sizeBytes: sizeBytes ?? String(content.length) }) },
    Mutation: {
      startRestore: (_parent, asked) => {
        input = asked.input as Record<string, unknown>;
        return { __typename: "StartRestorePayload", downloadUrl: host.link, restore };
      },
    },
  });
  await using home = await makeHome();
  await home.keepSession(hub.url);
  await prepare?.(home);
  await check(await home.xvault(["restore", "snp_1", ...args]), home, input);
}

describe("xvault restore", () => {
  it("fetches the snapshot into a file, on and on over a broken connection", () =>
    runRestore({
      args: ["--out", "site.zip", "etc", "var/www"],
      behaviours: [{ cutAfter: 700_000 }],
      async check({ exitCode, stdout }, home, input) {
        assert.deepEqual([exitCode, stdout], [0, "site.zip  2.00 MB\n"]);
        assert.deepEqual({ ...input }, { snapshotId: "snp_1", form: "ZIP", selection: ["etc", "var/www"] });
        const path = join(home.directory, "site.zip");
        assert.ok((await readFile(path)).equals(content));
        assert.equal((await stat(path)).mode & 0o777, 0o600);
        assert.deepEqual(await home.files(), ["site.zip"]);
      },
    }));

  it("fetches it as it is stored, for whoever holds the key", () =>
    runRestore({
      args: ["--out", "site.zip", "--form", "sealed"],
      async check({ exitCode }, home, input) {
        assert.deepEqual([exitCode, input?.form], [0, "SEALED"]);
        assert.deepEqual(await home.files(), ["site.zip"]);
      },
    }));

  it("leaves nothing of a download that has not its size, and ends with 1", () =>
    runRestore({
      args: ["--out", "site.tar"],
      sizeBytes: "2000001",
      async check({ exitCode, stdout, stderr }, home, input) {
        assert.deepEqual([exitCode, stdout, input?.form], [1, "", "TAR"]);
        assert.match(stderr, /has 2000000 bytes instead of 2000001: restore it again\.\n$/);
        assert.deepEqual(await home.files(), []);
      },
    }));

  it("never writes over a file, and asks for nothing then", () =>
    runRestore({
      args: ["--out", "site.tar"],
      prepare: (home) => writeFile(join(home.directory, "site.tar"), "mine"),
      async check(outcome, home, input) {
        const stderr = "site.tar is there already; name another file.\n";
        assert.deepEqual(outcome, { exitCode: 2, stdout: "", stderr });
        assert.equal(input, undefined);
        assert.equal(await readFile(join(home.directory, "site.tar"), "utf8"), "mine");
      },
    }));

  it("ends with 1 where the file cannot be written, and asks for nothing then", () =>
    runRestore({
      args: ["--out", "nowhere/site.tar"],
      async check(outcome, _home, input) {
        const stderr = "nowhere/site.tar cannot be written: there is no such file or directory.\n";
        assert.deepEqual(outcome, { exitCode: 1, stdout: "", stderr });
        assert.equal(input, undefined);
      },
    }));
});
