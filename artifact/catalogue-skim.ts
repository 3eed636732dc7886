// Skims lines of the catalogue for those who look for a few of its entries: a line is read, but only what tells its place is checked.

/** What tells whether an entry is asked for, and whether it lies where it should. */
export interface SkimmedEntry {
  readonly path: string;
  readonly size: number;
  readonly offset: number;
  readonly contentOffset: number;
}

/** Null for every line but an entry's whose name is text: those have to be parsed. */
export function skimEntry(line: string): SkimmedEntry | null {
  try {
    const value = JSON.parse(line);
    return isEntry(value) ? value : null;
  } catch {
    return null;
  }
}

function isEntry(value: Readonly<Record<string, unknown>> | null): value is SkimmedEntry & Record<string, unknown> {
  if (value === null || typeof value.path !== "string") return false;
  if (!isCount(value.size) || !isCount(value.offset) || !isCount(value.contentOffset)) return false;
  // Whatever has one of these is a line of another kind, or none.
  return value.catalogue === undefined && value.end === undefined && value.warning === undefined;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
