// Cuts what a process writes into lines, in bounded memory whatever it writes.
import type { Readable } from "node:stream";

const longestLine = 16 * 1024;

/** Calls `onLine` for every line that is not empty; longer ones than 16 Ki characters come cut. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > longestLine) {
      lines.push(rest);
      rest = "";
    }
    for (const line of lines) if (line !== "") onLine(line.slice(0, longestLine));
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
