// Shows a job while it goes on: drawn over and over in place on a terminal, line after line where there is none.
import { printable } from "./figures.ts";
import { advance, type JobView, newJobView, type ShownStep } from "./job-view.ts";
import { drawProgress, progressSentence, stageOf } from "./progress-bar.ts";
import type { Output } from "./terminal.ts";

/** Disposing takes the drawing off the terminal. */
export interface ProgressDisplay extends Disposable {
  show(step: ShownStep): void;
}

export interface DisplayOptions {
  readonly title: string;
  readonly color: boolean;
  readonly redraws: boolean;
}

/** Ten drawings a second at most. */
const drawingIntervalMs = 100;
const lineIntervalMs = 5_000;

export function openProgressDisplay(output: Output, { title, color, redraws }: DisplayOptions): ProgressDisplay {
  return output.isTTY && redraws ? new LiveDrawing(output, { title, color }) : new Lines(output, title);
}

class LiveDrawing implements ProgressDisplay {
  readonly #output: Output;
  readonly #color: boolean;
  readonly #timer: NodeJS.Timeout;
  #view: JobView;
  #linesDrawn = 0;

  constructor(output: Output, { title, color }: { title: string; color: boolean }) {
    this.#output = output;
    this.#color = color;
    this.#view = newJobView(title, performance.now(), Date.now());
    this.#timer = setInterval(() => this.#draw(), drawingIntervalMs);
  }

  show(step: ShownStep): void {
    this.#view = advance(this.#view, step, performance.now());
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#output.write(this.#erasure());
  }

  #draw(): void {
    const { columns: width = 80 } = this.#output;
    const lines = drawProgress(this.#view, { nowMs: performance.now(), width, color: this.#color });
    // Without wrapping, a character that is wider than reckoned spoils one line and not the drawing.
    this.#output.write(`${this.#erasure()}\x1b[?7l${lines.join("\n")}\n\x1b[?7h`);
    this.#linesDrawn = lines.length;
  }

  #erasure(): string {
    return this.#linesDrawn > 0 ? `\x1b[${this.#linesDrawn}A\r\x1b[J` : "";
  }
}

class Lines implements ProgressDisplay {
  readonly #output: Output;
  #view: JobView;
  #stage: string | null = null;
  #writtenAtMs = Number.NEGATIVE_INFINITY;

  constructor(output: Output, title: string) {
    this.#output = output;
    this.#view = newJobView(title, performance.now(), Date.now());
  }

  show(step: ShownStep): void {
    const nowMs = performance.now();
    this.#view = advance(this.#view, step, nowMs);
    const stage = stageOf(this.#view, nowMs);
    if (stage !== this.#stage) this.#write(stage, nowMs);
    else if (step.progress && nowMs - this.#writtenAtMs >= lineIntervalMs)
      this.#write(`${stage}, ${progressSentence(this.#view, nowMs)}`, nowMs);
    this.#stage = stage;
  }

  [Symbol.dispose](): void {}

  #write(text: string, nowMs: number): void {
    this.#output.write(`${printable(`${this.#view.title}: ${text}`)}\n`);
    this.#writtenAtMs = nowMs;
  }
}
