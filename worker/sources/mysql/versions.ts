// Whether a dump program fits a server, and the arguments that its maker's versions need.
import type { FoundTool } from "../dump/find-tool.ts";
import { SourceError } from "../source-error.ts";

export interface ServerVersion {
  /** As the server says it, e.g. `10.11.14-MariaDB-0+deb12u2`. */
  readonly text: string;
  readonly maker: Maker;
}

type Maker = "MariaDB" | "MySQL";

/** Throws `SourceError` for what no server calls itself: the text comes to stand in dumps, where a line of its own would be a command. */
export function parseVersion(text: string): ServerVersion {
  if (!/^[\x20-\x7e]{1,100}$/.test(text))
    throw new SourceError(
      "DUMP_FAILED",
      "The database server shows a version that cannot be one, so nothing was read from it: it may not be what it seems to be.",
    );
  return { text, maker: /mariadb/i.test(text) ? "MariaDB" : "MySQL" };
}

export function makerOf({ banner }: FoundTool): Maker {
  return /mariadb/i.test(banner) ? "MariaDB" : "MySQL";
}

/**
 * Throws `SourceError` DUMP_VERSION_MISMATCH where a dump is known to fail or to lack something: MySQL's program knows no server of a
 * later series than its own, and MariaDB's before 10.3 takes sequences for tables.
 */
export function requireFitting(tool: FoundTool, server: ServerVersion): void {
  const [toolMajor, toolMinor] = series(tool.version);
  const [serverMajor, serverMinor] = series(server.text);
  const maker = makerOf(tool);
  const isTooOld =
    maker !== server.maker
      ? false
      : maker === "MySQL"
        ? toolMajor < serverMajor
        : isBefore103(toolMajor, toolMinor) && !isBefore103(serverMajor, serverMinor);
  if (!isTooOld) return;
  throw new SourceError(
    "DUMP_VERSION_MISMATCH",
    `The dump program ${tool.program} ${tool.version} is too old for this ${maker} server of version ${serverMajor}.${serverMinor}: install a newer one, or have the dump made where there is one.`,
  );
}

/** Arguments beyond those that every version has. */
export function argumentsOf(tool: FoundTool): readonly string[] {
  if (makerOf(tool) === "MariaDB") return [];
  return [
    // Of this server alone; no other one lets it be set.
    "--set-gtid-purged=OFF",
    // What MySQL 8 made up, and asks every server for: older ones and MariaDB know nothing of it.
    ...(series(tool.version)[0] >= 8 ? ["--column-statistics=0"] : []),
  ];
}

function isBefore103(major: number, minor: number): boolean {
  return major < 10 || (major === 10 && minor < 3);
}

function series(version: string): readonly [major: number, minor: number] {
  // Old replication clients made MariaDB put a 5.5.5- before its version.
  const [, major = "0", minor = "0"] = /^(?:5\.5\.5-)?(\d{1,4})\.(\d{1,4})/.exec(version) ?? [];
  return [Number(major), Number(minor)];
}
