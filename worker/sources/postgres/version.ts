// Says before the first dump whether a pg_dump can dump a server, which it may do only for servers that are no newer than itself.
import type { FoundTool } from "../dump/find-tool.ts";
import type { Place } from "../dump/place.ts";
import { SourceError } from "../source-error.ts";
import type { Survey } from "./server.ts";

/** The oldest server that any pg_dump of today reads. */
const oldestServer = 90_200;

/** Throws `SourceError` DUMP_VERSION_MISMATCH. */
export function requireFittingVersion(
  { versionNumber }: Survey,
  { version }: FoundTool,
  { isFar }: Pick<Place, "isFar">,
): void {
  const server = majorOf(Math.floor(versionNumber / 10_000), Math.floor(versionNumber / 100) % 100);
  const [first = 0, second = 0] = version.split(".").map(Number);
  const tool = majorOf(first, second);
  if (versionNumber < oldestServer)
    throw new SourceError(
      "DUMP_VERSION_MISMATCH",
      `The server runs PostgreSQL ${server.name}, which is older than 9.2 and cannot be dumped: upgrade it.`,
    );
  if (tool.order >= server.order) return;
  throw new SourceError(
    "DUMP_VERSION_MISMATCH",
    isFar
      ? `The server runs PostgreSQL ${server.name} and the pg_dump on the SSH server is of version ${version}, which cannot dump it: install the client programs of PostgreSQL ${server.name} there, or have the dump made near.`
      : `The server runs PostgreSQL ${server.name} and the pg_dump of the worker is of version ${version}, which cannot dump it: go through SSH and use the server's own pg_dump, or ask the operator to install the client programs of PostgreSQL ${server.name}.`,
  );
}

/** Before version 10 the second number counted too. */
function majorOf(first: number, second: number): { readonly name: string; readonly order: number } {
  return first >= 10
    ? { name: `${first}`, order: first * 100 }
    : { name: `${first}.${second}`, order: first * 100 + second };
}
