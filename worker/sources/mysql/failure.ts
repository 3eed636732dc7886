// Says why MySQL's programs failed, from the number of the error they complain of, without a word of what they said.
import type { ToolEnd } from "../dump/place.ts";
import { SourceError, type SourceErrorCode } from "../source-error.ts";

export interface Peer {
  /** As the customer wrote it. */
  readonly host: string;
  readonly username: string;
}

type Sentence = (peer: Peer, database: string | null) => string;
type Kind = readonly [SourceErrorCode, Sentence];

const refused: Kind = [
  "SOURCE_AUTH_FAILED",
  ({ host, username }) =>
    `The database server “${host}” did not accept the sign-in of “${username}”: check the user name and the password, and from where this user may sign in.`,
];
const unreachable: Kind = [
  "SOURCE_DISCONNECTED",
  ({ host }) =>
    `The database server “${host}” cannot be reached: check the host, the port or socket, and its firewall.`,
];
const lost: Kind = [
  "SOURCE_DISCONNECTED",
  ({ host }) => `The database server “${host}” ended the connection before everything was read.`,
];
const busy: Kind = [
  "SOURCE_DISCONNECTED",
  ({ host }) =>
    `The database server “${host}” has no connection to spare: raise its limits, or back up at a quieter hour.`,
];
const unfit: Kind = [
  "DUMP_VERSION_MISMATCH",
  ({ username }) =>
    `The dump program does not know the way in which “${username}” signs in: use a newer program, or another authentication plugin for this user.`,
];
const missing: Kind = [
  "PATH_NOT_FOUND",
  (_, database) => `The database “${printable(database ?? "?")}” does not exist, or this user may not see it.`,
];
const privileges: Kind = [
  "DUMP_FAILED",
  ({ username }, database) =>
    `The user “${username}” has too few privileges to dump ${named(database)}: grant it SELECT, SHOW VIEW, TRIGGER and EVENT there, and for stored routines SELECT on mysql.proc (MariaDB) or SHOW_ROUTINE (MySQL).`,
];
const brokenView: Kind = [
  "DUMP_FAILED",
  (_, database) =>
    `A view in ${named(database)} refers to something that is no longer there, such as a table, a column or its definer: repair it, drop it or exclude it.`,
];
const changed: Kind = [
  "DUMP_FAILED",
  (_, database) =>
    `The definition of a table in ${named(database)} was changed during the dump: back up at another hour.`,
];

const kinds: Readonly<Record<number, Kind>> = {
  1040: busy,
  1203: busy,
  1226: busy,
  1045: refused,
  1130: refused,
  1698: refused,
  1820: refused,
  1862: refused,
  4151: refused,
  1044: privileges,
  1142: privileges,
  1143: privileges,
  1227: privileges,
  1370: privileges,
  1049: missing,
  1053: lost,
  1158: lost,
  1159: lost,
  1160: lost,
  1161: lost,
  1927: lost,
  2006: lost,
  2012: lost,
  2013: lost,
  2026: lost,
  2027: lost,
  2055: lost,
  1251: unfit,
  2049: unfit,
  2054: unfit,
  2058: unfit,
  2059: unfit,
  2061: unfit,
  1146: changed,
  1412: changed,
  1356: brokenView,
  1449: brokenView,
  2002: unreachable,
  2003: unreachable,
  2005: unreachable,
};

/** Null where there is nothing better to say than that the program failed. `database` is the one that was asked for. */
export function failureOf({ complaints }: ToolEnd, peer: Peer, database: string | null = null): SourceError | null {
  const kind = /insufficient privileges/.test(complaints) ? privileges : kindIn(complaints);
  if (!kind) return null;
  const [code, sentence] = kind;
  return new SourceError(code, sentence(peer, database), { cause: new Error(complaints) });
}

/** `Got error: 1045: …`, `ERROR 1045 (28000): …`, `Error 2013: …`, or `…: Access denied … (1044)`. */
function kindIn(complaints: string): Kind | null {
  for (const [, early, late] of complaints.matchAll(/\berror:? (\d{4})\b|\((\d{4})\)\s*$/gim)) {
    const kind = kinds[Number(early ?? late)];
    if (kind) return kind;
  }
  return null;
}

function named(database: string | null): string {
  return database === null ? "its databases" : `“${printable(database)}”`;
}

/** Of a name, for a sentence. */
export function printable(name: string): string {
  return name.slice(0, 200).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "?");
}
