// Prints what can be long: as a table or as JSON, piece by piece, so that its length costs no memory.
import { printable } from "./figures.ts";
import type { Output } from "./terminal.ts";
import { textWidth } from "./text-width.ts";

/** So many rows decide how wide the columns are. */
const rowsMeasured = 100;

export interface Table {
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<readonly string[]>;
  /** What to say where there is not one row. */
  readonly empty: string;
}

export async function printTable(output: Output, { columns, rows, empty }: Table): Promise<void> {
  let widths: readonly number[] | null = null;
  let waiting: (readonly string[])[] = [columns];
  const print = () => {
    widths ??= columns.map((_, index) => Math.max(...waiting.map((row) => textWidth(row[index] ?? ""))));
    for (const row of waiting) output.write(`${lineOf(row, widths)}\n`);
    waiting = [];
  };
  let count = 0;
  for await (const row of rows) {
    count++;
    waiting.push(row.map(printable));
    if (waiting.length > rowsMeasured) print();
  }
  if (count === 0) output.write(`${empty}\n`);
  else print();
}

/** One array of all items, a line for each. */
export async function printJson(output: Output, items: AsyncIterable<unknown>): Promise<void> {
  let separator = "[\n";
  for await (const item of items) {
    output.write(`${separator}${JSON.stringify(item)}`);
    separator = ",\n";
  }
  output.write(separator === "[\n" ? "[]\n" : "\n]\n");
}

function lineOf(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, index) => cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - textWidth(cell))));
  return cells.join("  ").trimEnd();
}
