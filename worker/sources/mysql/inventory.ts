// What a database holds and what its user may not see of it, asked of the server's own catalogue.
import { type Query, textLiteral } from "./client.ts";

export interface Table {
  readonly name: string;
  /** `InnoDB`, `MyISAM`; null for a view. */
  readonly engine: string | null;
  /** As the server estimates. */
  readonly rows: number;
  readonly bytes: number;
}

export interface Inventory {
  /** Whether the database is still there. */
  readonly exists: boolean;
  readonly tables: readonly Table[];
  /** Privileges without which a dump succeeds and lacks something, e.g. `TRIGGER`. */
  readonly missing: readonly string[];
}

/** Rows of these are as of one moment in a dump. */
const transactional: ReadonlySet<string> = new Set(["innodb", "rocksdb", "tokudb", "ndbcluster", "ndb"]);

export async function listDatabases(query: Query): Promise<string[]> {
  return (await query("SELECT schema_name FROM information_schema.schemata ORDER BY 1")).flatMap(
    ([name]) => name ?? [],
  );
}

/** Bytes of data by database. */
export async function listSizes(query: Query): Promise<[string, number][]> {
  const rows = await query("SELECT table_schema, SUM(data_length) FROM information_schema.tables GROUP BY 1");
  return rows.map(([database = "", bytes]) => [database, count(bytes)]);
}

export async function takeInventory(query: Query, database: string): Promise<Inventory> {
  const name = textLiteral(database);
  // What was granted to a role counts too. Roles have no host in MariaDB; the comment is code to MySQL 8 alone, and theirs have one.
  const mine =
    "(grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') OR grantee NOT LIKE '%@%' " +
    "/*!80000 OR FIND_IN_SET(REPLACE(grantee, '''', '`'), CURRENT_ROLE()) */)";
  const rows = await query(
    `SELECT 'database' FROM information_schema.schemata WHERE schema_name = ${name};
     SELECT 'table', table_name, table_type, engine, table_rows, data_length FROM information_schema.tables WHERE table_schema = ${name} ORDER BY 2;
     SELECT 'anywhere', privilege_type FROM information_schema.user_privileges WHERE ${mine};
     SELECT 'here', privilege_type FROM information_schema.schema_privileges WHERE ${mine} AND ${name} LIKE table_schema;
     SELECT 'routines', privilege_type FROM information_schema.schema_privileges WHERE ${mine} AND 'mysql' LIKE table_schema;
     SELECT 'routines', privilege_type FROM information_schema.table_privileges WHERE ${mine} AND table_schema = 'mysql' AND table_name = 'proc'`,
    database,
  );
  const privileges = (...of: readonly string[]) =>
    new Set(rows.filter(([kind = ""]) => of.includes(kind)).map(([, privilege = ""]) => privilege.toUpperCase()));
  return {
    exists: rows.some(([kind]) => kind === "database"),
    tables: rows.flatMap(tableIn),
    missing: missingIn(privileges("anywhere"), privileges("here"), privileges("routines")),
  };
}

export function isTransactional({ engine }: Table): boolean {
  return engine === null || transactional.has(engine.toLowerCase());
}

function tableIn([kind, name = "", type = "", engine = "", rows, bytes]: readonly string[]): Table[] {
  if (kind !== "table") return [];
  const isView = type.toUpperCase().includes("VIEW");
  return [{ name, engine: isView || engine === "NULL" ? null : engine, rows: count(rows), bytes: count(bytes) }];
}

/** Triggers and routines that may not be seen are left out of a dump without a word; views and events make it fail. */
function missingIn(
  anywhere: ReadonlySet<string>,
  here: ReadonlySet<string>,
  onRoutines: ReadonlySet<string>,
): string[] {
  const has = (privilege: string) => anywhere.has(privilege) || here.has(privilege);
  const seesRoutines =
    anywhere.has("SELECT") ||
    onRoutines.has("SELECT") ||
    ["SHOW_ROUTINE", "SHOW CREATE ROUTINE", "EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE"].some(has);
  return [
    ...["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"].filter((privilege) => !has(privilege)),
    ...(seesRoutines ? [] : ["SELECT on mysql.proc (MariaDB) or SHOW_ROUTINE (MySQL)"]),
  ];
}

/** What a server says it counted; anything else is none. */
function count(text: string | undefined): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}
