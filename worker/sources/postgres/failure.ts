// Says why a program of PostgreSQL failed, from what it complains of, and without a word of it.
import type { ToolEnd } from "../dump/place.ts";
import { SourceError, type SourceErrorCode } from "../source-error.ts";

export interface About {
  /** As the customer wrote it. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  readonly tls: "required" | "verified" | "off";
}

type Rule = readonly [RegExp, SourceErrorCode, (about: About) => string];

/**
 * The programs speak English, as their locale tells them; a server may not, and then the last resorts below have to do. What libpq
 * says of the way to a server comes before what servers say.
 */
const rules: readonly Rule[] = [
  [
    /server version mismatch/,
    "DUMP_VERSION_MISMATCH",
    () =>
      "The pg_dump that is there is older than the server or too new for it: install the client programs of the server's version.",
  ],
  [
    /certificate verify failed|server certificate for|root certificate file|self[- ]signed certificate/,
    "SOURCE_DISCONNECTED",
    ({ host }) =>
      `The certificate of the server “${host}” could not be verified: give the authority that signed it, or correct the host name.`,
  ],
  [
    /server does not support SSL/,
    "SOURCE_DISCONNECTED",
    ({ host }) =>
      `The server “${host}” offers no TLS: switch it on there, go through SSH, or set the TLS of this source to off.`,
  ],
  [
    /Connection refused/,
    "SOURCE_DISCONNECTED",
    ({ host, port }) => `The server “${host}” refused the connection: no PostgreSQL listens on port ${port}.`,
  ],
  [
    /could not translate host name/,
    "SOURCE_DISCONNECTED",
    ({ host }) => `The host “${host}” could not be found from the SSH server: check its spelling.`,
  ],
  [
    /timeout expired|Connection timed out|No route to host|Network is unreachable/,
    "SOURCE_DISCONNECTED",
    ({ host, port }) =>
      `The server “${host}” did not answer on port ${port}: check the address, the port and its firewall.`,
  ],
  [
    /specify an alternative database/,
    "DUMP_FAILED",
    ({ username }) =>
      `The roles are read in the database “postgres” or “template1”, and “${username}” may connect to neither: grant it CONNECT, or switch the globals of this source off.`,
  ],
  [
    /no pg_hba\.conf entry|pg_hba\.conf rejects/,
    "SOURCE_AUTH_FAILED",
    ({ host, username, database }) =>
      `The server “${host}” admits nobody as “${username}” to the database “${database}” from there: add a line to its pg_hba.conf.`,
  ],
  [
    /authentication failed|no password supplied|role ".*" (does not exist|is not permitted to log in)/s,
    "SOURCE_AUTH_FAILED",
    ({ host, username }) =>
      `The server “${host}” did not accept the sign-in of “${username}”: check the user name and the password of this source.`,
  ],
  [
    /FATAL: +database ".*" does not exist/s,
    "PATH_NOT_FOUND",
    ({ database }) => `There is no database “${database}” on the server.`,
  ],
  [
    /FATAL: +permission denied for database|FATAL: +database ".*" is not currently accepting/s,
    "PATH_NOT_FOUND",
    ({ database, username }) =>
      `The user “${username}” may not connect to the database “${database}”: grant it CONNECT, or take the database out of this source.`,
  ],
  [
    /no matching tables were found/,
    "PATH_NOT_FOUND",
    ({ database }) => `No table of the database “${database}” matches the tables that this source is to include.`,
  ],
  [
    /query would be affected by row-level security/,
    "DUMP_FAILED",
    ({ username, database }) =>
      `The database “${database}” hides rows from “${username}” by row-level security: give that user BYPASSRLS, or have the owner of the tables make the backup.`,
  ],
  [
    /out of memory/,
    "DUMP_FAILED",
    ({ host }) =>
      `The server “${host}” sent more than the program that asked it could keep in memory: have a far dump made, or find out what it sends.`,
  ],
  [
    /permission denied/,
    "DUMP_FAILED",
    ({ username, database }) =>
      `The user “${username}” may not read everything in the database “${database}”: grant it the role pg_read_all_data (PostgreSQL 14 and later), or USAGE on all schemas and SELECT on all tables and sequences.`,
  ],
  [
    // Pg_dump has the server cancel its wait for a lock as a statement.
    /canceling statement due to (statement|lock) timeout/,
    "DUMP_FAILED",
    ({ database }) =>
      `A table of the database “${database}” stayed locked for too long to be read: find out what holds the lock, or choose another time.`,
  ],
  [
    /too many (clients|connections)|remaining connection slots/,
    "SOURCE_DISCONNECTED",
    ({ host }) => `The server “${host}” has no connection left for a backup: allow it more, or choose another time.`,
  ],
  [
    /server closed the connection|connection to server was lost|could not (receive data from|send data to) server|terminating connection|SSL (connection has been closed|SYSCALL error)|SSL error|the database system is|no connection to the server/,
    "SOURCE_DISCONNECTED",
    ({ host }) => `The server “${host}” ended the connection before everything was read.`,
  ],
];

/** Null for complaints that are not known here. */
export function refusalOf({ complaints }: ToolEnd, about: About): SourceError | null {
  const rule = rules.find(([pattern]) => pattern.test(complaints));
  return rule ? new SourceError(rule[1], rule[2](about), { cause: new Error(complaints) }) : null;
}

/** For a program that could not even connect and said why in another language. */
export function noWayIn({ complaints }: ToolEnd, { host, username }: About): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The server “${host}” could not be signed in to as “${username}”: check the address, the user name and the password of this source.`,
    { cause: new Error(complaints) },
  );
}
