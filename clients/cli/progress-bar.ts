// Draws a job as lines of text. Pure: the same view at the same time is the same drawing.
import { styleText } from "node:util";
import { bytesText, clockText, countText, nextAttemptText, printable } from "./figures.ts";
import { type JobView, type Progress, rateOf, shareOf } from "./job-view.ts";
import { keepEnd, keepStart, textWidth } from "./text-width.ts";

export interface DrawingOptions {
  readonly nowMs: number;
  /** Columns of the terminal; a line is always shorter. */
  readonly width: number;
  readonly color: boolean;
}

const longestBar = 50;
const runnerWidth = 6;
/** Columns that the runner of a bar of unknown length moves on in a second. */
const runnerSpeed = 12;

/** Four lines at most: what is going on, how far, how much, and at what. */
export function drawProgress(view: JobView, { nowMs, width, color }: DrawingOptions): string[] {
  const columns = Math.max(20, width - 1);
  const paint = (format: Parameters<typeof styleText>[0], text: string) =>
    color ? styleText(format, text, { validateStream: false }) : text;
  const elapsedMs = nowMs - view.startedMs;
  const title = keepStart(printable(view.title), Math.floor(columns / 2));
  const heading = keepStart(`${title}: ${trailOf(view, nowMs)}`, columns - 9);
  const path = view.progress?.currentPath;
  return [
    `${clockText(elapsedMs).padStart(7)}  ${paint("bold", heading)}`,
    barOf(shareOf(view.progress), { elapsedMs, columns, paint }),
    lineOf(factsOf(view, nowMs), columns),
    ...(path ? [paint("dim", keepEnd(printable(path), columns))] : []),
  ];
}

/** The same in one line, for where nothing can be drawn over. */
export function progressSentence(view: JobView, nowMs: number): string {
  const share = shareOf(view.progress);
  return [...(share === null ? [] : [percent(share)]), ...factsOf(view, nowMs)].join(", ");
}

/** Where the job stands, in words. */
export function stageOf(view: JobView, nowMs: number): string {
  if (view.waitingFor !== null) return view.waitingFor.replace(/^W/, "w").replace(/\.$/, "");
  const next = view.nextAttemptMs === null ? null : nextAttemptText(view.nextAttemptMs - nowMs);
  if (view.status === "QUEUED")
    return next ?? (view.attempt > 0 ? "waiting for the next attempt" : "waiting for a worker");
  const active = view.status === "RUNNING" || view.status === "FINALIZING";
  return ((active && view.phases.at(-1)) || view.status).toLowerCase();
}

function trailOf(view: JobView, nowMs: number): string {
  const before = view.phases.slice(0, -1).map((phase) => `${phase.toLowerCase()} › `);
  const again = view.attempt > 1 ? ` (attempt ${view.attempt})` : "";
  return `${before.join("")}${stageOf(view, nowMs)}${again}`;
}

interface BarOptions {
  readonly elapsedMs: number;
  readonly columns: number;
  readonly paint: (format: "green" | "dim", text: string) => string;
}

function barOf(share: number | null, { elapsedMs, columns, paint }: BarOptions): string {
  const length = Math.min(longestBar, columns - 7);
  if (share !== null) {
    const done = Math.floor(share * length);
    return `${paint("green", "━".repeat(done))}${paint("dim", "─".repeat(length - done))} ${percent(share).padStart(5)}`;
  }
  // To and fro, since how long it takes is not known.
  const reach = length - runnerWidth;
  const way = Math.floor((elapsedMs / 1000) * runnerSpeed) % (2 * reach);
  const left = way <= reach ? way : 2 * reach - way;
  const rail = (dashes: number) => paint("dim", "─".repeat(dashes));
  return `${rail(left)}${paint("green", "━".repeat(runnerWidth))}${rail(reach - left)}`;
}

/** Never 100 before it is all. */
function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}

/** As many of the facts as fit, the first ones first. */
function lineOf(facts: readonly string[], columns: number): string {
  const line = facts.join(" · ");
  return facts.length > 1 && textWidth(line) > columns ? lineOf(facts.slice(0, -1), columns) : keepStart(line, columns);
}

/** What there is to say in figures, the most telling first. */
function factsOf(view: JobView, nowMs: number): string[] {
  const { progress } = view;
  if (!progress) return ["no figures yet"];
  const rate = rateOf(view, nowMs);
  return [
    ...(progress.filesTotal === 0 ? [] : [`${ofTotal(progress.filesDone, progress.filesTotal, countText)} files`]),
    ofTotal(progress.bytesDone, progress.bytesTotal, bytesText),
    ...(rate === null ? [] : [`${bytesText(rate)}/s`, ...remainder(progress, rate)]),
    ...(progress.storedBytes > 0 ? [`${bytesText(progress.storedBytes)} stored`] : []),
  ];
}

function ofTotal(done: number, total: number | null, text: (value: number) => string): string {
  return total === null ? text(done) : `${text(done)} of ${text(total)}`;
}

function remainder({ bytesDone, bytesTotal }: Progress, rate: number): string[] {
  if (bytesTotal === null || bytesDone >= bytesTotal || rate === 0) return [];
  return [`${clockText(((bytesTotal - bytesDone) / rate) * 1000)} left`];
}
