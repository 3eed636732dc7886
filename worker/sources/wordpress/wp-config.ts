// Reads what a wp-config.php sets, as PHP would set it, without running any of it. What it cannot be sure of it refuses.
import { SourceError } from "../source-error.ts";
import type { PhpSettings } from "./php-findings.ts";
import { readPhpSettings } from "./php-settings.ts";
import { PhpSyntaxError } from "./php-tokens.ts";

/** A configuration of more bytes is none. */
export const largestWpConfig = 1024 * 1024;

export interface WpConfig {
  readonly database: { readonly name: string; readonly user: string; readonly password: string; readonly host: string };
  /** Before the name of every table; of letters, digits and underscores, and empty at the worst. */
  readonly tablePrefix: string;
  /** Tables of users that lie elsewhere than under the prefix, as families of sites share them. */
  readonly customUserTables: readonly string[];
  /** Null where it is not set, or not as plain text. */
  readonly charset: string | null;
  readonly isMultisite: boolean;
  /** Constants by which the site moves its files away from where WordPress has them, and the lines they are on. */
  readonly movedDirectories: readonly { readonly constant: string; readonly line: number }[];
}

const required = ["DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST"];
const prefix = "$table_prefix";
const userTables = ["CUSTOM_USER_TABLE", "CUSTOM_USER_META_TABLE"];
const moving = ["WP_CONTENT_DIR", "WP_PLUGIN_DIR", "WPMU_PLUGIN_DIR", "UPLOADS"];
const watched = new Set([...required, prefix, ...userTables, ...moving, "DB_CHARSET", "MULTISITE"]);

/** Throws `SourceError` DUMP_FAILED, with a sentence that names the setting and its line and shows nothing else of the file. */
export function parseWpConfig(file: Uint8Array): WpConfig {
  const settings = settingsIn(file);
  const { found } = settings;
  const [name = "", user = "", password = "", host = "", tablePrefix = ""] = [...required, prefix].map((setting) =>
    textOf(settings, setting),
  );
  if (!/^[A-Za-z0-9_]*$/.test(tablePrefix))
    throw refusal(`${prefix} has other characters than letters, digits and underscores, so that WordPress refuses it`);
  return {
    database: { name, user, password, host },
    tablePrefix,
    customUserTables: userTables.filter((setting) => found.has(setting)).map((setting) => textOf(settings, setting)),
    charset: found.get("DB_CHARSET")?.value ?? null,
    isMultisite: !["", "0"].includes(found.get("MULTISITE")?.value ?? ""),
    movedDirectories: moving.flatMap((constant) => {
      const line = found.get(constant)?.line;
      return line === undefined ? [] : [{ constant, line }];
    }),
  };
}

function settingsIn(file: Uint8Array): PhpSettings {
  if (file.length > largestWpConfig) throw refusal("it is larger than 1 MiB");
  try {
    return readPhpSettings(Buffer.from(file).toString("latin1"), watched, "wp-settings.php");
  } catch (error) {
    if (error instanceof PhpSyntaxError) throw refusal(error.message, error);
    throw error;
  }
}

function textOf({ found, includedOn, computedNameOn }: PhpSettings, name: string): string {
  const setting = found.get(name);
  if (!setting) {
    if (computedNameOn !== null)
      throw refusal(`it sets no ${name}, and line ${computedNameOn} sets constants whose names are computed`);
    if (includedOn !== null)
      throw refusal(`it sets no ${name}, and line ${includedOn} includes another file that may set it`);
    throw refusal(`it sets no ${name}`);
  }
  const { value, line, isCertain } = setting;
  if (!isCertain) {
    const before = [computedNameOn, includedOn].find((on) => on !== null && on < line);
    const other = before === undefined ? "" : `, or only unless line ${before} has set it`;
    throw refusal(`${name} on line ${line} is set under a condition${other}`);
  }
  if (value === null)
    throw refusal(`${name} on line ${line} is not a plain text but something that PHP has to compute`);
  const bytes = Buffer.from(value, "latin1");
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw refusal(`${name} on line ${line} is not encoded as UTF-8`);
  if (text.includes("\0")) throw refusal(`${name} on line ${line} has a NUL character in it`);
  return text;
}

function refusal(reason: string, cause?: unknown): SourceError {
  return new SourceError(
    "DUMP_FAILED",
    `The wp-config.php of this site is read without being run, and cannot be understood: ${reason}. Write plain values there, or back up the files and the database of the site as two sources.`,
    { cause },
  );
}
