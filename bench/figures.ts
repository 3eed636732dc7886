// Turns measurements into the figures that a claim is judged by: medians and their ratio.

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export interface Side {
  readonly name: string;
  readonly seconds: readonly number[];
  /** Peak of all its processes together, in MB, one figure a turn. */
  readonly peakMB: readonly number[];
}

/** A table of both sides, and the ratio of their medians, ours over theirs: below 1 is faster. */
export function report(ours: Side, theirs: Side): { readonly text: string; readonly ratio: number } {
  const row = ({ name, seconds, peakMB }: Side) =>
    `${name.padEnd(42)} median ${median(seconds).toFixed(3)} s   min ${Math.min(...seconds).toFixed(3)}   max ${Math.max(...seconds).toFixed(3)}   peak ${Math.max(...peakMB).toFixed(0)} MB`;
  const ratio = median(ours.seconds) / median(theirs.seconds);
  return { text: `${row(ours)}\n${row(theirs)}\nratio of medians: ${ratio.toFixed(3)}\n`, ratio };
}
