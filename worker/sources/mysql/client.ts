// Asks a MySQL or MariaDB server through its own command-line client, and reads the rows that come back.
import { captured } from "../dump/captured.ts";
import type { FoundTool } from "../dump/find-tool.ts";
import type { Place } from "../dump/place.ts";
import { SourceError } from "../source-error.ts";
import { failureOf, type Peer } from "./failure.ts";

/** Room for the tables of one database, tens of thousands of them. */
const longestAnswer = 32 * 1_048_576;

export interface ClientParts {
  readonly place: Place;
  readonly tool: FoundTool;
  readonly peer: Peer;
  readonly optionFile: string;
  readonly stallMs: number;
  /** Why the way to the server last failed, where that is known better than the client knows. */
  readonly failure: () => SourceError | null;
}

export type Query = (sql: string, database?: string) => Promise<readonly (readonly string[])[]>;

/** SQL NULL comes back as the text `NULL`. `database` is only for the sentence of a failure. */
export function mysqlClient({ place, tool, peer, optionFile, stallMs, failure }: ClientParts): Query {
  return async (sql, database) => {
    const args = ["--batch", "--skip-column-names", "--quick", "--default-character-set=utf8mb4", `--execute=${sql}`];
    const secretFile = { text: optionFile, pass: (path: string) => ({ args: [`--defaults-file=${path}`] }) };
    const answer = await captured(
      place,
      { program: tool.program, args, secretFile, silenceMs: stallMs },
      longestAnswer,
    );
    if (answer.code === 0) return rowsIn(answer.text);
    throw (
      failure() ??
      failureOf(answer, peer, database ?? null) ??
      new SourceError(
        "DUMP_FAILED",
        `The database server “${peer.host}” could not answer what a backup has to ask it first.`,
        { cause: new Error(answer.complaints) },
      )
    );
  };
}

/** A text as SQL, whatever is in it and whatever mode the server is in. */
export function textLiteral(text: string): string {
  return `CONVERT(x'${Buffer.from(text).toString("hex")}' USING utf8mb4)`;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", "0": "\0" };

function rowsIn(text: string): string[][] {
  const lines = text.split("\n");
  lines.pop();
  return lines.map((line) =>
    line.split("\t").map((cell) => cell.replaceAll(/\\(.)/g, (_, sign: string) => escapes[sign] ?? sign)),
  );
}
