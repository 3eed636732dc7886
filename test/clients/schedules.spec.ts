// What `xvault schedules` does, against a real hub.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { playWorker, testedSource } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";
import { type Home, makeHome } from "./xvault.ts";

describe("xvault schedules", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let home: Home;
  let sourceId: string;
  let scheduleId: string;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    home = stack.use(await makeHome());
    sourceId = await testedSource(await stageTenant(hub), await playWorker(hub));
    const signIn = ["sign-in", "--url", hub.graphqlUrl, "--email", hub.owner.email];
    assert.equal((await home.xvault(signIn, { input: hub.owner.password })).exitCode, 0);
  });
  after(() => stack.disposeAsync());

  const xvault = (...args: string[]) => home.xvault(["schedules", ...args]);
  const cells = async () => {
    const [, row = ""] = (await xvault()).stdout.trimEnd().split("\n");
    return row.split(/ {2,}/);
  };

  it("says that there are none, and what one would come to", async () => {
    assert.deepEqual(await xvault(), { exitCode: 0, stdout: "There are no schedules yet.\n", stderr: "" });
    const { stdout } = await xvault("preview", "--cron", "0 0 29 2 *", "--timezone", "Asia/Kathmandu", "--count", "2");
    assert.match(stdout, /^\d{4}-02-28T18:15:00\.000Z\n\d{4}-02-28T18:15:00\.000Z\n$/);
  });

  it("makes one, and lists when it is due", async () => {
    const timetable = ["--cron", "0 * * * *", "--timezone", "Europe/Berlin", "--window", "22:00-06:00"];
    const rules = ["--jitter", "30", "--skip-missed", "--keep-daily", "7", "--keep-last", "3"];
    const made = await xvault("create", sourceId, ...timetable, ...rules);
    assert.match(made.stderr, /^It is due for the first time \d{4}-\d\d-\d\d \d\d:00Z\.\n$/);
    scheduleId = made.stdout.trim();
    const row = await hub.db.schedule.findUniqueOrThrow({ where: { id: scheduleId } });
    assert.deepEqual(
      [row.windowFrom, row.windowTo, row.jitterMinutes, row.missedRuns, row.retention],
      ["22:00", "06:00", 30, "SKIP", { keepDaily: 7, keepLast: 3 }],
    );
    const [id, source, when, next = "", skipped] = await cells();
    assert.deepEqual(
      [id, source, when, skipped],
      [scheduleId, "staged", "0 * * * * Europe/Berlin, 22:00-06:00, spread over 30 minutes", "none"],
    );
    assert.ok(made.stderr.includes(next));
    const { stdout } = await xvault("preview", scheduleId, "--count", "3");
    assert.match(stdout, /^(\S+:00:00\.000Z {2}not before \S+Z\n){3}$/);
  });

  it("shows what was skipped, and why", async () => {
    const lastSkippedAt = new Date("2026-03-01T12:00:00Z");
    const skipped = { skippedSlots: 1234, lastSkippedAt, lastSkipReason: "BACKUP_UNDER_WAY" } as const;
    await hub.db.schedule.update({ where: { id: scheduleId }, data: skipped });
    assert.equal((await cells())[4], "1,234, backup under way 2026-03-01 12:00Z");
    const [listed] = JSON.parse((await xvault("--source", sourceId, "--json")).stdout);
    assert.deepEqual([listed.id, listed.skippedRuns, listed.lastSkipReason], [scheduleId, 1234, "BACKUP_UNDER_WAY"]);
  });

  it("pauses it, resumes it and ends it", async () => {
    assert.equal((await xvault("pause", scheduleId)).stdout, `${scheduleId} is paused.\n`);
    assert.equal((await cells())[3], "paused");
    assert.match((await xvault("resume", scheduleId)).stdout, /^sch_\w+ runs\. It is due next \S+ \S+Z\.\n$/);
    assert.equal((await xvault("delete", scheduleId)).stdout, `${scheduleId} is deleted.\n`);
    const { exitCode, stderr } = await xvault("preview", scheduleId);
    assert.deepEqual([exitCode, stderr], [1, `There is no schedule of yours with the id ${scheduleId}.\n`]);
  });

  it("says in a sentence what it cannot make", async () => {
    const refused = [
      [2, ["preview"], "Say when, with --cron or --every.\n"],
      [2, ["preview", "--every", "5", "--cron", "@daily"], /conflict|cannot be used with/],
      [2, ["create", sourceId, "--every", "60", "--window", "night"], /Two times, please/],
      [1, ["create", sourceId, "--every", "60", "--jitter", "60"], /A spread is shorter than/],
      [1, ["preview", "--cron", "0 0 3 * * *"], /A cron expression has five fields/],
    ] as const;
    for (const [code, args, sentence] of refused) {
      const { exitCode, stdout, stderr } = await xvault(...args);
      assert.deepEqual([exitCode, stdout], [code, ""], stderr);
      if (typeof sentence === "string") assert.equal(stderr, sentence);
      else assert.match(stderr, sentence);
    }
  });
});
