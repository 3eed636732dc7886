// Looks at the first lines of a dump before anybody gets them, and takes out the one that older clients stumble over.
import { SourceError } from "../source-error.ts";

/** Comments about program, host, database and version: far fewer bytes than this. */
const longestHead = 65_536;
const newline = 0x0a;

/**
 * A dump begins with comments that quote the server's version and the database's name. A line break in those would begin a command
 * of mysql's own, such as one for the shell, on the machine of whoever restores (CVE-2024-21096). Throws `SourceError` DUMP_FAILED for
 * a head that has anything in it but comments. The sandbox line, which MariaDB's programs write as a remedy, is dropped: MySQL's
 * client and older ones of MariaDB take it for a mistake and restore nothing.
 */
export async function* withCheckedHead(dump: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of dump) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const length = lengthOf(head);
    if (length === null) continue;
    yield withoutSandbox(head);
    head = null;
  }
  if (head?.length) yield head;
}

/** Up to the first statement; null where that has not come yet. */
function lengthOf(text: Buffer): number | null {
  for (let start = 0; start < longestHead; ) {
    const end = text.indexOf(newline, start);
    if (end < 0) {
      if (text.length < longestHead) return null;
      break;
    }
    const line = text.toString("latin1", start, end);
    if (/^\/\*M?!\d{5,6} SET /.test(line)) return start;
    if (!/^(--([ \t-].*)?)?\r?$/.test(line) && !isSandbox(line)) break;
    start = end + 1;
  }
  throw new SourceError(
    "DUMP_FAILED",
    "The dump does not begin as one does, and may hold commands for the machine it is restored on: use a newer dump program, and look at the names in this database.",
  );
}

function withoutSandbox(text: Buffer): Buffer {
  const end = text.indexOf(newline);
  return isSandbox(text.toString("latin1", 0, end)) ? text.subarray(end + 1) : text;
}

function isSandbox(line: string): boolean {
  return /^\/\*M?!\d+\\- enable the sandbox mode \*\/ ?\r?$/.test(line);
}
