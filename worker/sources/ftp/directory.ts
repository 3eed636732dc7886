// Lists one directory of an FTP server, from the two listings that together say what there is.
import { FtpRefusal, isPassing } from "./failure.ts";
import { type Listed, linesOf, type ParsedLine, parseFacts, parseLine } from "./listing.ts";
import type { FtpSession } from "./session.ts";

/** Of one listing: about 250,000 names. It is held in memory, because a server may cut one that is read slowly. */
const mostBytes = 32 * 1024 * 1024;

export interface Directory {
  readonly entries: readonly Listed[];
  /** Whether some line was understood by nobody, so that something may be missing. */
  readonly incomplete: boolean;
}

/** Null where it is too long to be held. Rejects with `FtpRefusal` where the server will not list it. */
export async function listDirectory(session: FtpSession, path: string): Promise<Directory | null> {
  const now = Date.now();
  const asLine = (line: string) => parseLine(line, now);
  if (!session.machineListings) {
    const listing = await session.listForPeople(path, mostBytes);
    return listing && parse(listing, asLine);
  }
  const exact = await session.listForMachines(path, mostBytes);
  if (!exact) return null;
  const facts = parse(exact, parseFacts);
  // ProFTPD's MLSD calls a pipe a file, keeps silent about dangling links and about where any link leads; its LIST does not.
  const listing = await session.listForPeople(path, mostBytes).catch((error: unknown) => {
    if (error instanceof FtpRefusal && !isPassing(error)) return null;
    throw error;
  });
  const lines = listing && parse(listing, asLine);
  return lines && !lines.incomplete
    ? { entries: merge(facts.entries, lines.entries), incomplete: facts.incomplete }
    : facts;
}

function parse(listing: Buffer, parseOne: (line: string) => ParsedLine): Directory {
  const entries: Listed[] = [];
  let incomplete = false;
  for (const line of linesOf(listing)) {
    const parsed = parseOne(line);
    if (parsed === "unknown") incomplete = true;
    else if (parsed && parsed.name !== "." && parsed.name !== "..") entries.push(parsed);
  }
  return { entries, incomplete };
}

/** Sizes and times of `facts`, kinds and modes of `lines`; what only one of them has is there as well. */
function merge(facts: readonly Listed[], lines: readonly Listed[]): Listed[] {
  const exact = new Map(facts.map((each) => [each.name, each]));
  const merged = lines.map((line) => {
    const fact = exact.get(line.name);
    if (!fact) return line;
    exact.delete(line.name);
    const { kind, mode, target } = line;
    return { ...fact, kind, mode, size: fact.size ?? line.size, target: target ?? fact.target };
  });
  return [...merged, ...exact.values()];
}
