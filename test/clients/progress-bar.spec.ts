import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { JobStatus, JobStep } from "../../clients/api/jobs.ts";
import { advance, type JobView, newJobView } from "../../clients/cli/job-view.ts";
import { drawProgress, progressSentence } from "../../clients/cli/progress-bar.ts";
import { textWidth } from "../../clients/cli/text-width.ts";
import { jobFacts, noProgress } from "./scripted-job.ts";

type Told = Partial<NonNullable<JobStep["progress"]>>;

function state(status: JobStatus, attempt = 1): JobStep {
  return { cursor: "1", job: jobFacts(status, attempt), event: null, progress: null };
}

function triedAgainAt(nextAttemptAt: string): JobStep {
  return { ...state("QUEUED"), job: { ...jobFacts("QUEUED"), nextAttemptAt } };
}

function phase(name: string, attempt = 1): JobStep {
  const event = { seq: 2, kind: "phase", facts: { phase: name }, at: "2026-03-01T12:00:00.000Z" };
  return { ...state("RUNNING", attempt), event };
}

function progress(told: Told, attempt = 1): JobStep {
  return { ...state("RUNNING", attempt), progress: { ...noProgress, ...told } };
}

/** The view after steps that came at these milliseconds. */
function viewAfter(...steps: [number, JobStep][]): JobView {
  return steps.reduce(
    (view, [atMs, step]) => advance(view, step, atMs),
    newJobView("Backup of web-1", 0, Date.parse("2026-03-01T12:00:00.000Z")),
  );
}

function draw(view: JobView, nowMs: number, width = 60): string[] {
  return drawProgress(view, { nowMs, width, color: false });
}

const pulling = {
  filesDone: 1204,
  filesTotal: 2310,
  bytesDone: "48100000",
  bytesTotal: "82900000",
  storedBytes: "9990000",
};

const drawings: [string, JobView, number, string[]][] = [
  [
    "a job that waits",
    viewAfter([0, state("QUEUED", 0)]),
    0,
    ["   0:00  Backup of web-1: waiting for a worker", `━━━━━━${"─".repeat(44)}`, "no figures yet"],
  ],
  [
    "a bar of unknown length, on its way to the right",
    viewAfter([0, state("RUNNING")], [100, phase("CONNECTING")]),
    2_000,
    ["   0:02  Backup of web-1: connecting", `${"─".repeat(24)}━━━━━━${"─".repeat(20)}`, "no figures yet"],
  ],
  [
    "the same bar on its way back",
    viewAfter([0, state("RUNNING")], [100, phase("CONNECTING")]),
    4_000,
    ["   0:04  Backup of web-1: connecting", `${"─".repeat(40)}━━━━━━${"─".repeat(4)}`, "no figures yet"],
  ],
  [
    "counts without totals",
    viewAfter(
      [0, state("RUNNING")],
      [0, phase("CONNECTING")],
      [500, phase("PULLING")],
      [600, progress({ filesDone: 12, bytesDone: "3400" })],
    ),
    700,
    ["   0:00  Backup of web-1: connecting › pulling", `${"─".repeat(8)}━━━━━━${"─".repeat(36)}`, "12 files · 3.40 kB"],
  ],
  [
    "counts, totals, rate, what is left, and the entry at hand",
    viewAfter(
      [0, phase("PULLING")],
      [60_000, progress({ ...pulling, bytesDone: "38300000" })],
      [62_000, progress({ ...pulling, currentPath: "var/www/html/index.php" })],
    ),
    62_000,
    [
      "   1:02  Backup of web-1: pulling",
      `${"━".repeat(29)}${"─".repeat(21)}  58 %`,
      "1,204 of 2,310 files · 48.1 MB of 82.9 MB · 4.90 MB/s",
      "var/www/html/index.php",
    ],
  ],
  [
    "a total that was overtaken",
    viewAfter(
      [0, phase("PULLING")],
      [10, progress({ filesDone: 9, filesTotal: 8, bytesDone: "120", bytesTotal: "100" })],
    ),
    20,
    ["   0:00  Backup of web-1: pulling", `${"━".repeat(50)} 100 %`, "9 of 8 files · 120 B of 100 B"],
  ],
  [
    "a tree of empty files, measured by their number",
    viewAfter([0, phase("PULLING")], [10, progress({ filesDone: 1, filesTotal: 4, bytesTotal: "0" })]),
    20,
    ["   0:00  Backup of web-1: pulling", `${"━".repeat(12)}${"─".repeat(38)}  25 %`, "1 of 4 files · 0 B of 0 B"],
  ],
  [
    "the next attempt, which begins afresh",
    viewAfter([0, progress(pulling)], [10, state("QUEUED")], [15, state("RUNNING", 2)], [20, phase("CONNECTING", 2)]),
    30,
    ["   0:00  Backup of web-1: connecting (attempt 2)", `━━━━━━${"─".repeat(44)}`, "no figures yet"],
  ],
  [
    "an attempt that broke off, whose successor has its time",
    viewAfter([0, progress(pulling)], [10, triedAgainAt("2026-03-01T12:01:30.000Z")]),
    64_500,
    ["   1:04  Backup of web-1: next attempt in 26 s", `${"─".repeat(18)}━━━━━━${"─".repeat(26)}`, "no figures yet"],
  ],
  [
    "an attempt that broke off, whose successor is due",
    viewAfter([0, progress(pulling)], [10, triedAgainAt("2026-03-01T12:01:30.000Z")]),
    90_000,
    [
      "   1:30  Backup of web-1: waiting for the next attempt",
      `${"─".repeat(24)}━━━━━━${"─".repeat(20)}`,
      "no figures yet",
    ],
  ],
  [
    "an attempt that broke off",
    viewAfter([0, progress(pulling)], [10, state("QUEUED")]),
    3_723_000,
    [
      "1:02:03  Backup of web-1: waiting for the next attempt",
      `${"─".repeat(28)}━━━━━━${"─".repeat(16)}`,
      "no figures yet",
    ],
  ],
];

describe("the drawing of a job", () => {
  for (const [name, view, nowMs, lines] of drawings)
    it(`shows ${name}`, () => assert.deepEqual(draw(view, nowMs), lines));

  it("shows an event as of its own time, though the job has moved on", () => {
    const now = jobFacts("COMPLETED");
    const running = { seq: 2, kind: "state", facts: { status: "RUNNING" }, at: "2026-03-01T12:00:00.000Z" };
    const view = viewAfter([0, { ...state("COMPLETED"), event: running }], [5, { ...phase("PULLING"), job: now }]);
    assert.equal(draw(view, 10)[0], "   0:00  Backup of web-1: pulling");
  });

  it("reckons the rate from the last seconds alone", () => {
    const view = viewAfter(
      [0, phase("PULLING")],
      [1_000, progress({ bytesDone: "90000000", bytesTotal: "100000000" })],
      [60_000, progress({ bytesDone: "91000000", bytesTotal: "100000000" })],
      [62_000, progress({ bytesDone: "93000000", bytesTotal: "100000000" })],
    );
    assert.equal(progressSentence(view, 62_000), "93 %, 0 files, 93.0 MB of 100 MB, 1.00 MB/s, 0:07 left");
    assert.equal(progressSentence(view, 72_000), "93 %, 0 files, 93.0 MB of 100 MB");
  });

  it("keeps every line shorter than the terminal, whatever the names", () => {
    const title = "備份 of a source with a very long name 🗄️ that goes on and on";
    const shown = {
      ...viewAfter([0, progress({ ...pulling, currentPath: `深い/${"ディレクトリ/".repeat(20)}終.txt` })]),
      title,
    };
    for (const width of [20, 21, 40, 79, 80, 200])
      for (const line of draw(shown, 5_000, width))
        assert.ok(textWidth(line) < Math.max(width, 21), `${width}: ${line}`);
    assert.match(draw(shown, 5_000, 40).at(-1) ?? "", /^….*終\.txt$/);
  });

  it("shows no character of a name that a terminal would obey", () => {
    const evil = progress({ currentPath: "a\x1b[2Jb\r\n\u202ec\u0007" });
    assert.equal(draw(viewAfter([0, evil]), 0).at(-1), "a�[2Jb���c�");
  });

  it("differs by nothing but colours when it has them", () => {
    const view = viewAfter([0, progress({ ...pulling, currentPath: "a" })]);
    const colored = drawProgress(view, { nowMs: 0, width: 60, color: true });
    assert.deepEqual(colored.map(stripVTControlCharacters), draw(view, 0));
    assert.ok(colored.join("").includes("\x1b["));
    assert.ok(!draw(view, 0).join("").includes("\x1b"));
  });
});
