// What the demo's processes get of this one's environment: nothing that could lead them to anything but throw-away data.

/** Where programs are, what the user reads, and where temporary files go; no database, no keys, no ports. */
const inherited = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LOG_LEVEL"];

/** For a whole stack in `home`, on free ports, that may connect to this machine. */
export function stackEnvironment(home: string): Record<string, string> {
  return {
    ...childEnvironment(),
    XVAULT_HOME: home,
    SOURCE_ALLOWED_NETWORKS: "127.0.0.0/8",
    HUB_PORT: "0",
    HUB_INTERNAL_PORT: "0",
    RESTORE_PORT: "0",
  };
}

export function childEnvironment(): Record<string, string> {
  return Object.fromEntries(inherited.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** How the terminal is to be written to. */
export function displayConfig(): { readonly color: boolean; readonly redraws: boolean } {
  const { NO_COLOR, TERM } = process.env;
  return { color: !NO_COLOR && process.stdout.isTTY, redraws: TERM !== "dumb" };
}
