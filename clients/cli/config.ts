// Reads the environment of the command line, once, at start.
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

export interface CliConfig {
  /** Where the sign-in is kept. */
  readonly sessionFile: string;
  /** Shows who asks, instead of a sign-in. */
  readonly apiKey: string | undefined;
  /** Where the hub is, for whoever comes with an API key in the environment. */
  readonly hubUrl: string | undefined;
  /** False where the user wants none (no-color.org). */
  readonly color: boolean;
  /** Whether a terminal can draw over what it has drawn. */
  readonly redraws: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function readConfig(env: Environment = process.env): CliConfig {
  const { XDG_CONFIG_HOME, NO_COLOR, TERM, XVAULT_API_KEY, XVAULT_URL } = env;
  const directory = absolute(XDG_CONFIG_HOME) ?? join(homedir(), ".config");
  return {
    sessionFile: join(directory, "xvault", "session.json"),
    apiKey: XVAULT_API_KEY?.trim() || undefined,
    hubUrl: XVAULT_URL?.trim() || undefined,
    color: !NO_COLOR,
    redraws: TERM !== "dumb",
  };
}

/** Where Node keeps what it made of our code. */
export function cacheDirectory({ XDG_CACHE_HOME }: Environment = process.env): string {
  return join(absolute(XDG_CACHE_HOME) ?? join(homedir(), ".cache"), "xvault", "compiled");
}

/** A relative path is to be ignored, says the XDG specification. */
function absolute(path: string | undefined): string | undefined {
  return path && isAbsolute(path) ? path : undefined;
}
