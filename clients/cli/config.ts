// Reads the environment of the command line, once, at start.
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

export interface CliConfig {
  /** Where the hub's address and the token of the sign-in are kept. */
  readonly sessionFile: string;
  /** False where the user wants none (no-color.org). */
  readonly color: boolean;
  /** Whether a terminal can draw over what it has drawn. */
  readonly redraws: boolean;
}

export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): CliConfig {
  const { XDG_CONFIG_HOME: base, NO_COLOR, TERM } = env;
  // A relative path is to be ignored, says the XDG specification.
  const directory = base && isAbsolute(base) ? base : join(homedir(), ".config");
  return {
    sessionFile: join(directory, "xvault", "session.json"),
    color: !NO_COLOR,
    redraws: TERM !== "dumb",
  };
}
