// `xvault sources limit`: how fast a source may be read.
import { updateSource } from "../../api/sources.ts";
import { CommandError, exitCodes } from "../failure.ts";
import { bytesText } from "../figures.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

/** As rates are told: of 1000, and its powers. */
const units = { "": 1, K: 1e3, M: 1e6, G: 1e9 } as const;

/** Bytes a second, as a `ByteCount`; null for `none`. Throws `CommandError` for what is no rate. */
export function parseRate(text: string): string | null {
  if (text === "none") return null;
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?)([KMG]?)$/i.exec(text) ?? [];
  if (number === undefined || unit === undefined)
    throw new CommandError(`“${text}” is no rate: say 500K, 20M or none.`, { exitCode: exitCodes.usage });
  return String(Math.round(Number(number) * units[unit.toUpperCase() as keyof typeof units]));
}

export async function limit(terminal: Terminal, sourceId: string, rate: string): Promise<void> {
  const maxBytesPerSecond = parseRate(rate);
  const api = await openSession(terminal);
  await api.mutate(updateSource, { sourceId, maxBytesPerSecond }, { signal: terminal.signal });
  const pace =
    maxBytesPerSecond === null ? "as fast as it can be" : `at ${bytesText(Number(maxBytesPerSecond))} a second at most`;
  terminal.stdout.write(`${sourceId} is read ${pace}.\n`);
}
