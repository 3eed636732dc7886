// Which databases and tables of a server belong to a backup: names as they are, and `*` for any part of one.

export interface TableSelectionSettings {
  /** All but the server's own where it is missing. */
  readonly databases?: readonly string[] | undefined;
  /** `database.table`, where `*` stands for any characters. Only these, where there are some. */
  readonly includeTables?: readonly string[] | undefined;
  /** The same form; wins over `includeTables`. */
  readonly excludeTables?: readonly string[] | undefined;
}

/** What every server has for itself. Users and grants are in `mysql`, in a form that fits the very same version alone. */
const serversOwn: ReadonlySet<string> = new Set(["information_schema", "performance_schema", "mysql", "sys"]);

export function isServersOwn(database: string): boolean {
  return serversOwn.has(database.toLowerCase());
}

export function selectsTable(settings: TableSelectionSettings, database: string, table: string): boolean {
  const name = `${database}.${table}`;
  const { includeTables, excludeTables = [] } = settings;
  if (excludeTables.some((pattern) => matches(pattern, name))) return false;
  return includeTables === undefined || includeTables.some((pattern) => matches(pattern, name));
}

/** In time proportional to the product of the lengths, whatever the pattern: a regular expression could take for ever. */
function matches(pattern: string, name: string): boolean {
  let [at, inName, star, resumeAt] = [0, 0, -1, 0];
  while (inName < name.length) {
    if (pattern[at] === "*") [star, resumeAt, at] = [at, inName, at + 1];
    else if (pattern[at] === name[inName]) [at, inName] = [at + 1, inName + 1];
    else if (star >= 0) [at, resumeAt, inName] = [star + 1, resumeAt + 1, resumeAt + 1];
    else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
