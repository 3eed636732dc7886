// What every step of the demo has at hand: where to say things, how to draw, and when to stop.
import type { Output } from "../cli/terminal.ts";

export interface Stage {
  readonly output: Output;
  readonly color: boolean;
  readonly redraws: boolean;
  readonly signal: AbortSignal;
}

/** A step that is done. */
export function tick(stage: Stage, text: string): void {
  stage.output.write(`  ✓ ${text}\n`);
}
