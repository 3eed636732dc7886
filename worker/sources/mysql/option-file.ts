// The option file that MySQL's programs are started with: whom to sign in as and where. It holds the password, so it goes as a secret.

export interface SignInSettings {
  /** As the place sees it. `localhost` is the server's usual Unix socket, as it is for all of MySQL's programs. @default 127.0.0.1 */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Path of a Unix socket, which then is used and not the host. */
  readonly socket?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface OptionFileSettings extends SignInSettings {
  /** A file of the server's own to read first, for what is not set here. */
  readonly include?: string | null;
  /** Lines for every program. */
  readonly client?: readonly string[];
  /** As `database.table`: left out of the dump. */
  readonly ignoredTables?: readonly string[];
}

/** Read by no more than what it is given to: programs take it as their only one. */
export function optionFile(settings: OptionFileSettings): string {
  const {
    host = "127.0.0.1",
    port = 3306,
    socket,
    username,
    password,
    include,
    client = [],
    ignoredTables = [],
  } = settings;
  const way =
    socket !== undefined
      ? [option("socket", socket), "protocol=socket"]
      : host === "localhost"
        ? [option("host", host)]
        : [option("host", host), option("port", `${port}`), "protocol=tcp"];
  return [
    ...(include ? [`!include ${include}`] : []),
    "[client]",
    ...way,
    ...(username !== undefined ? [option("user", username)] : []),
    ...(password !== undefined ? [option("password", password)] : []),
    ...client,
    "[mysql]",
    // A server may ask for any file of whoever signs in to it.
    "local-infile=0",
    "[mysqldump]",
    ...ignoredTables.map((table) => option("ignore-table", table)),
    "",
  ].join("\n");
}

/** In quotes nothing has a meaning but the backslash, which stands for itself when doubled. */
function option(name: string, value: string): string {
  const escapes: Record<string, string> = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\\": "\\\\",
    '"': '\\"',
  };
  return `${name}="${value.replace(/[\n\r\t\b\\"]/g, (sign) => escapes[sign] ?? sign)}"`;
}
